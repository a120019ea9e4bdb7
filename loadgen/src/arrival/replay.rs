//! A captured list of starts: seconds, and optionally a file, on each line.
//! It never sorts out what the file's names mean.

use std::path::Path;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Captured {
    pub seconds: f64,
    pub file: Option<String>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Captured>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&text).map_err(|line| format!("{}, line {line}: not SECONDS [FILE]", path.display()))
}

/// Empty lines and comments are passed over. The first start is at 0, whatever the clock said.
fn parse(text: &str) -> Result<Vec<Captured>, usize> {
    let mut list = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (seconds, file) = match line.split_once(char::is_whitespace) {
            Some((seconds, file)) => (seconds, Some(file.trim().to_string())),
            None => (line, None),
        };
        let seconds: f64 = seconds.parse().map_err(|_| number)?;
        if !seconds.is_finite() {
            return Err(number);
        }
        list.push(Captured { seconds, file });
    }
    list.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let first = list.first().map_or(0.0, |first| first.seconds);
    for start in &mut list {
        start.seconds -= first;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_begin_at_zero() {
        let list = parse("# captured\n101.5 pxelinux.0\n\n100 \n102 boot loader.efi\n");
        let list = list.expect("a list");
        let at = |index: usize| (list[index].seconds, list[index].file.as_deref());
        assert_eq!(at(0), (0.0, None));
        assert_eq!(at(1), (1.5, Some("pxelinux.0")));
        assert_eq!(at(2), (2.0, Some("boot loader.efi")));
        assert_eq!(parse("1\nsoon x\n"), Err(2));
    }
}
