//! When machines start: together, at a rate, rack by rack, or as they once did.
//! It never waits: it lists the moments.

mod replay;
mod schedule;

use std::fmt;
use std::str::FromStr;

pub use replay::Captured;
pub use schedule::{Schedule, Start};

/// The model of a load. Times are seconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// All machines start at once, and each one again as soon as it is done.
    Closed,
    AllAtOnce,
    /// So many starts in a second, at equal distances.
    Rate(f64),
    /// So many starts in a second on average, independent of each other.
    Poisson(f64),
    /// From one rate to another within a time; then it stays there.
    Ramp {
        from: f64,
        to: f64,
        seconds: f64,
    },
    /// A group together, the next one after so many seconds.
    Racks {
        size: u64,
        seconds: f64,
    },
    /// Equal distances, the last one at the end of this time.
    Over(f64),
    /// As captured.
    Replay(Vec<Captured>),
}

impl FromStr for Arrival {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not closed, all-at-once, rate:R, poisson:R, ramp:FROM-TO/SECS, \
                 racks:SIZE/SECS, over:SECS or replay:FILE"
            )
        };
        let (kind, value) = text.split_once(':').unwrap_or((text, ""));
        let number = |text: &str| {
            let number = text.trim_end_matches('s').parse::<f64>().ok();
            number
                .filter(|n| n.is_finite() && *n > 0.0)
                .ok_or_else(wrong)
        };
        match kind {
            "closed" if value.is_empty() => Ok(Self::Closed),
            "all-at-once" if value.is_empty() => Ok(Self::AllAtOnce),
            "rate" => Ok(Self::Rate(number(value)?)),
            "poisson" => Ok(Self::Poisson(number(value)?)),
            "over" => Ok(Self::Over(number(value)?)),
            "ramp" => {
                let (rates, seconds) = value.split_once('/').ok_or_else(wrong)?;
                let (from, to) = rates.split_once('-').ok_or_else(wrong)?;
                Ok(Self::Ramp {
                    // A ramp may begin at nothing.
                    from: from.parse().ok().filter(|&n| n >= 0.0).ok_or_else(wrong)?,
                    to: number(to)?,
                    seconds: number(seconds)?,
                })
            }
            "racks" => {
                let (size, seconds) = value.split_once('/').ok_or_else(wrong)?;
                let size = size.parse().ok().filter(|&size| size > 0);
                Ok(Self::Racks {
                    size: size.ok_or_else(wrong)?,
                    seconds: number(seconds)?,
                })
            }
            "replay" => replay::read(value.as_ref()).map(Self::Replay),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::AllAtOnce => f.write_str("all at once"),
            Self::Rate(rate) => write!(f, "rate {rate}/s"),
            Self::Poisson(rate) => write!(f, "poisson {rate}/s"),
            Self::Ramp { from, to, seconds } => {
                write!(f, "ramp from {from}/s to {to}/s in {seconds} s")
            }
            Self::Racks { size, seconds } => write!(f, "racks of {size}, one each {seconds} s"),
            Self::Over(seconds) => write!(f, "over {seconds} s"),
            Self::Replay(list) => write!(f, "replay of {} starts", list.len()),
        }
    }
}
