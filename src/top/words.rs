//! Numbers and names as people read them in a terminal.
//! It never passes a control character on.

use core::fmt::Write;

use super::board::Board;
use crate::observe::farm::view::{Row, State};

/// What a client called something, without what could steer a terminal.
pub fn clean(text: &str) -> String {
    let harmless = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().map(harmless).collect()
}

pub fn bytes(count: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", count / unit, count % unit * 10 / unit),
        None => format!("{count} B"),
    }
}

/// Milliseconds as a span.
pub fn span(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        10_000..100_000 => format!("{} s", millis / 1_000),
        100_000..6_000_000 => format!("{} min", millis / 60_000),
        _ => format!("{} h", millis / 3_600_000),
    }
}

/// Microseconds as a round trip.
pub fn trip(micros: u32) -> String {
    match micros {
        0 => "-".into(),
        1..1_000 => format!("{micros} us"),
        _ => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
    }
}

/// How far, in per cent.
pub fn percent(row: &Row) -> String {
    if row.file.is_empty() || row.size == 0 {
        return "-".into();
    }
    format!("{} %", u128::from(row.bytes) * 100 / u128::from(row.size))
}

pub fn name(row: &Row) -> String {
    if row.host.is_empty() {
        row.ip.clone()
    } else {
        format!("{} ({})", clean(&row.host), row.ip)
    }
}

/// The farm in one line.
pub fn headline(board: &Board) -> String {
    let farm = &board.farm;
    let done = count(board, State::Done);
    format!(
        "{done} of {} machines done, {} transfers, {}/s",
        farm.machines,
        farm.transfers,
        bytes(farm.rate)
    )
}

pub fn count(board: &Board, state: State) -> u32 {
    let place = State::ALL.iter().position(|other| *other == state);
    place
        .and_then(|place| board.farm.states.get(place))
        .copied()
        .unwrap_or(0)
}

/// Everything, for a pipe.
pub fn page(board: &Board) -> String {
    let mut page = headline(board);
    page.push('\n');
    for row in board.rows().flatten() {
        // A string takes what is written to it.
        let _ = writeln!(
            page,
            "{:<34} {:<9} {:>8} {:>6} {:>11} {:<32} {}",
            name(row),
            row.state.as_str(),
            span(board.now.saturating_sub(row.since)),
            percent(row),
            if row.rate > 0 {
                format!("{}/s", bytes(row.rate))
            } else {
                "-".into()
            },
            clean(&row.file),
            clean(&row.why)
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_names_harmless() {
        assert_eq!(
            (bytes(999), bytes(1_500_000)),
            ("999 B".into(), "1.5 MB".into())
        );
        assert_eq!(
            (span(1_250), span(75_000), span(600_000)),
            ("1.2 s".into(), "75 s".into(), "10 min".into())
        );
        assert_eq!(
            (trip(0), trip(120), trip(12_340)),
            ("-".into(), "120 us".into(), "12.3 ms".into())
        );
        assert_eq!(clean("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
