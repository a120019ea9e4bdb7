//! The word that was probably meant.
//! It never guesses where none is near.

/// The known word that is nearest to `wrong`. Case and underscores make no difference.
pub(crate) fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase().replace('_', "-");
    let score = |word: &&'a str| {
        let close = strsim::jaro_winkler(&wrong, word);
        (close > 0.75).then_some((close, *word))
    };
    let best = known
        .iter()
        .filter_map(score)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_if_one_is_near() {
        let known = ["listen", "root", "max-blksize", "max-windowsize"];
        assert_eq!(nearest("lissten", &known), Some("listen"));
        assert_eq!(nearest("max_blksize", &known), Some("max-blksize"));
        assert_eq!(nearest("MAXBLOCKSIZE", &known), Some("max-blksize"));
        assert_eq!(nearest("zzz", &known), None);
    }
}
