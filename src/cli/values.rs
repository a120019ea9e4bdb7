//! Values of options that are more than one number or word.
//! It never knows which option a value belongs to.

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

/// Ports `low..=high`, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    low: u16,
    high: u16,
}

impl PortRange {
    #[must_use]
    pub const fn ports(self) -> RangeInclusive<u16> {
        self.low..=self.high
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('-')
            .and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        match numbers {
            None => Err(format!(
                "\"{text}\" is no range of ports; write 40000-40063"
            )),
            Some((0, _)) => Err("ports start at 1".to_owned()),
            Some((low, high)) if low > high => Err(format!("{low} is above {high}")),
            Some((low, high)) => Ok(Self { low, high }),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

/// A whole number from `LOW` to `HIGH`.
pub(super) fn number<N: TryFrom<i64>, const LOW: i64, const HIGH: i64>(
    text: &str,
) -> Result<N, String> {
    let within = text
        .parse()
        .ok()
        .filter(|number| (LOW..=HIGH).contains(number));
    within
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| format!("it is a number from {LOW} to {HIGH}"))
}

/// A switch with a value.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("it is true or false".to_owned()),
    }
}

/// `blksize=1428`
pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("an option is written NAME=VALUE".to_owned()),
    }
}

/// A number of bytes: `1500`, or with K, M, G or T for powers of 1,024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// In the largest unit that says it exactly, as [`FromStr`] reads it.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [(40, "T"), (30, "G"), (20, "M"), (10, "K")]
            .into_iter()
            .find(|(shift, _)| self.0 > 0 && self.0.trailing_zeros() >= *shift);
        match unit {
            Some((shift, letter)) => write!(f, "{}{letter}", self.0 >> shift),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => Some(0),
            "k" | "kb" | "kib" => Some(10),
            "m" | "mb" | "mib" => Some(20),
            "g" | "gb" | "gib" => Some(30),
            "t" | "tb" | "tib" => Some(40),
            _ => None,
        };
        let number = digits.parse::<u64>().ok().filter(|&number| number > 0);
        let bytes = number
            .zip(shift)
            .and_then(|(number, shift)| number.checked_mul(1 << shift));
        bytes
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is no size; write 1500, 64K, 10M or 2G"))
    }
}

/// A wait of a client: fractions are welcome, and 255 is as far as RFC 2349 goes.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.001..=255.0).contains(&value) => Ok(Duration::from_secs_f64(value)),
        _ => Err("it is a number of seconds from 0.001 to 255".to_owned()),
    }
}

/// A wait of the server: up to a day, and 0 for none.
pub(super) fn whole_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(value) if value <= 86_400 => Ok(Duration::from_secs(value)),
        _ => Err("it is a whole number of seconds up to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_two_ends_in_order() {
        let range: PortRange = "40000-40063".parse().unwrap();
        assert_eq!(range.ports(), 40_000..=40_063);
        assert_eq!(range.to_string(), "40000-40063");
        assert_eq!("7-7".parse::<PortRange>().unwrap().ports().count(), 1);
        for bad in [
            "", "-", "7", "7-", "-7", "9-8", "0-9", "1-65536", "1-2-3", "a-b",
        ] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (text, bytes) in [
            ("1", 1),
            ("64K", 65_536),
            ("10m", 10 << 20),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)), "{text}");
        }
        for bad in ["", "0", "K", "-1", "1.5M", "1X", "1 M", "99999999T"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_are_bounded_on_both_sides() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("255"), Ok(Duration::from_secs(255)));
        for bad in ["", "0", "-1", "256", "NaN", "inf", "1s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(whole_seconds("0"), Ok(Duration::ZERO));
        for bad in ["", "-1", "1.5", "86401"] {
            assert!(whole_seconds(bad).is_err(), "{bad}");
        }
    }
}
