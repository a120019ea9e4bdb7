//! From a text to what it says, or to everything that is wrong with its form.
//! It never judges whether values fit together.

use core::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::Mistake;
use super::file::{File, VERSION};
use crate::limits::MISTAKES_MAX;

/// Reads a whole file.
///
/// # Errors
/// The mistakes in it, in their order: those of the notation alone, if there are any.
pub(super) fn parse(text: &str) -> Result<File, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let all = errors.iter().take(MISTAKES_MAX);
        return Err(all.map(|error| Mistake::of(text, error)).collect());
    }
    // First, so that a file for another version is not blamed for keys that this one lacks.
    check_version(text, &table).map_err(|mistake| vec![mistake])?;
    understand(text, table)
}

fn check_version(text: &str, table: &Spanned<DeTable<'_>>) -> Result<(), Mistake> {
    #[derive(Deserialize)]
    struct Version {
        version: Option<Spanned<i64>>,
    }
    let version = Version::deserialize(Deserializer::from(table.clone()))
        .map_err(|error| Mistake::of(text, &error))?;
    match version.version {
        None => {
            let missing = format!("the file does not say `version = {VERSION}`");
            Err(Mistake::at(text, 0, missing))
        }
        Some(version) if *version.get_ref() != VERSION => {
            let other = format!(
                "this program reads version {VERSION} of the configuration, not {}",
                version.get_ref()
            );
            Err(Mistake::at(text, version.span().start, other))
        }
        Some(_) => Ok(()),
    }
}

/// serde stops at the first mistake. What it stumbled over is taken out, and the rest is read again.
fn understand(text: &str, mut table: Spanned<DeTable<'_>>) -> Result<File, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut taken_out: Vec<Range<usize>> = Vec::new();
    loop {
        let error = match File::deserialize(Deserializer::from(table.clone())) {
            Ok(file) if mistakes.is_empty() => {
                return exclusive(text, table.get_ref(), &file).map(|()| file);
            }
            Ok(_) => break,
            Err(error) => error,
        };
        let place = error.span().unwrap_or(0..0);
        let ours = |taken: &Range<usize>| place.start <= taken.start && taken.end <= place.end;
        // What is missing only because its value was wrong has been told.
        let follows = error.message().starts_with("missing field") && taken_out.iter().any(ours);
        if !follows {
            mistakes.push(Mistake::of(text, &error));
        }
        if !remove(table.get_mut(), &place) || mistakes.len() == MISTAKES_MAX {
            break;
        }
        taken_out.push(place);
    }
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    Err(mistakes)
}

fn exclusive(text: &str, table: &DeTable<'_>, file: &File) -> Result<(), Vec<Mistake>> {
    if file.single_port != Some(true) || file.data_ports.is_none() {
        return Ok(());
    }
    let key = table.keys().find(|key| key.get_ref() == "data-ports");
    let at = key.map_or(0, |key| key.span().start);
    let why = "`single-port` and `data-ports` exclude each other";
    Err(vec![Mistake::at(text, at, why.into())])
}

/// Takes the innermost entry out that has this place. Says whether there was one.
fn remove(table: &mut DeTable<'_>, place: &Range<usize>) -> bool {
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    if table.iter_mut().any(|(_, value)| inside(value, place)) {
        return true;
    }
    let here = table
        .iter()
        .find(|(key, value)| holds(key.span()) || holds(value.span()));
    let key = here.map(|(key, _)| key.get_ref().to_string());
    key.is_some_and(|key| table.remove(key.as_str()).is_some())
}

fn inside(value: &mut Spanned<DeValue<'_>>, place: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, place),
        DeValue::Array(list) => {
            if list.iter_mut().any(|element| inside(element, place)) {
                return true;
            }
            let holds = |element: &Spanned<DeValue<'_>>| {
                let span = element.span();
                span.start <= place.start && place.end <= span.end
            };
            let before = list.len();
            let others = list.iter().filter(|element| !holds(element));
            *list = others.cloned().collect();
            list.len() < before
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let all = parse(text).expect_err("mistakes");
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_mistakes_are_named_in_their_order() {
        let text = "version = 1\nlissten = 1\nshards = 0\nio = 'uring'\n[access]\nalow = []\n\
                    [[rule]]\nmach = 'a'\nstop = true\n[[rule]]\nfrom = ['10.0.0.0/8', 'x']\n\
                    [clients]\nleases = [{ file = 'a' }, { file = 'b', format = 'isk' }]\n";
        let found = mistakes(text);
        let places: Vec<_> = found
            .iter()
            .map(|one| one.split(':').next().unwrap_or_default())
            .collect();
        assert_eq!(places, ["2", "3", "6", "8", "11", "13", "13"], "{found:#?}");
    }

    #[test]
    fn all_mistakes_of_the_notation_are_named() {
        let found = mistakes("version = 1\na = \nb = 'x\nc = 3\n");
        assert_eq!(found.len(), 2, "{found:#?}");
    }

    #[test]
    fn mistakes_without_end_are_named_to_a_bound() {
        let wrong: String = (0..10 * MISTAKES_MAX)
            .map(|number| format!("key{number} = 1\n"))
            .collect();
        assert_eq!(
            mistakes(&format!("version = 1\n{wrong}")).len(),
            MISTAKES_MAX
        );
    }
}
