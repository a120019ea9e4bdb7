//! Results as one page for the browser: no script, nothing fetched from elsewhere, light and dark,
//! on paper too. Each plot has its figures in a table behind it. It never hides a failure.

mod axis;
mod details;
mod plot;
mod plots;
mod sections;
mod tables;

use crate::report::text::headline;
use crate::result::RunResult;

/// A result and what it is called on the page.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub result: &'a RunResult,
}

/// The page of one result, or of several beside each other.
#[must_use]
pub fn page(title: Option<&str>, results: &[Named<'_>]) -> String {
    let title = title.map_or_else(|| default_title(results), str::to_owned);
    let mut body = sections::head(&title, results);
    if results.len() > 1 {
        body += &tables::side_by_side(results);
    }
    body += &plots::all(results);
    for named in results {
        body += &details::all(named, results.len() > 1);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"bootstorm {}\">\n<title>{}</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        escaped(&title),
        include_str!("html/style.css"),
    )
}

fn default_title(results: &[Named<'_>]) -> String {
    match results {
        [one] => headline(one.result),
        several => {
            let names: Vec<&str> = several.iter().map(|named| named.name).collect();
            names.join(", ")
        }
    }
}

/// Text that stands for itself in HTML. A number and its unit stay on one line.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        match letter {
            ' ' if out.ends_with(|last: char| last.is_ascii_digit())
                && begins_with_unit(&text[at + 1..]) =>
            {
                out.push('\u{a0}');
            }
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What a server sent may hold anything; a page holds text.
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

fn begins_with_unit(text: &str) -> bool {
    let word = text
        .split(|letter: char| letter.is_whitespace() || ";,.)".contains(letter))
        .next();
    let units = [
        "s", "ms", "µs", "ns", "%", "B", "kB", "MB", "GB", "TB", "kB/s", "MB/s", "GB/s",
    ];
    word.is_some_and(|word| units.contains(&word))
}

#[cfg(test)]
mod tests;
