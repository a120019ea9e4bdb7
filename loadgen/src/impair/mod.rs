//! A bad network inside the client: loss, repeats, disorder, delay, and machines that lose power.
//! It never knows the time: the same packets of a machine have the same fate in every run.

mod chance;
mod fate;
mod sequence;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use chance::{Chance, Purpose};
pub use fate::{Direction, Fate, Impaired, Weather};
pub use sequence::Position;

/// What is done to packets. Probabilities are from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Impairment {
    pub loss_in: f64,
    pub loss_out: f64,
    pub burst: Option<BurstLoss>,
    pub duplicate: f64,
    pub reorder: f64,
    pub delay: Option<Delay>,
    /// For each block, on top of what the client's habits say.
    pub slow: Duration,
    /// Share of transfers whose machine loses power on the way.
    pub vanish: f64,
}

/// Loss in bursts (Gilbert and Elliott): a good and a bad state, with the probabilities of
/// changing between them at each packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BurstLoss {
    pub to_bad: f64,
    pub to_good: f64,
    pub loss_when_bad: f64,
}

/// Each packet is held back for `time`, more or less `jitter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    pub time: Duration,
    pub jitter: Duration,
}

impl Impairment {
    /// Whether packets go their way untouched.
    #[must_use]
    pub fn spares_packets(&self) -> bool {
        let none = [self.loss_in, self.loss_out, self.duplicate, self.reorder];
        none.iter().all(|&p| p <= 0.0) && self.burst.is_none() && self.delay.is_none()
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{} %", (share * 1e8).round() / 1e6);
        let mut parts = Vec::new();
        if self.loss_in > 0.0 || self.loss_out > 0.0 {
            let (inward, outward) = (percent(self.loss_in), percent(self.loss_out));
            parts.push(format!("loss {inward} in, {outward} out"));
        }
        if let Some(burst) = self.burst {
            parts.push(format!(
                "bursts (to bad {}, to good {}, loss {})",
                percent(burst.to_bad),
                percent(burst.to_good),
                percent(burst.loss_when_bad)
            ));
        }
        for (share, word) in [
            (self.duplicate, "duplicates"),
            (self.reorder, "reordered"),
            (self.vanish, "vanish"),
        ] {
            if share > 0.0 {
                parts.push(format!("{word} {}", percent(share)));
            }
        }
        if let Some(Delay { time, jitter }) = self.delay {
            parts.push(format!("delay {time:?} ± {jitter:?}"));
        }
        if !self.slow.is_zero() {
            parts.push(format!("{:?} for each block", self.slow));
        }
        f.write_str(&parts.join(", "))
    }
}

/// "1%" or "0.01".
///
/// # Errors
/// When it is not a probability.
pub fn probability(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let value = number.parse::<f64>().ok().map(|number| number / unit);
    value
        .filter(|value| (0.0..=1.0).contains(value))
        .ok_or_else(|| format!("\"{text}\" is no probability: say 1% or 0.01"))
}

/// Milliseconds, with fractions.
///
/// # Errors
/// When it is not a time.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.trim().trim_end_matches("ms").trim_end().parse::<f64>();
    let time = number
        .ok()
        .and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
    time.ok_or_else(|| format!("\"{text}\" is no number of milliseconds"))
}

impl FromStr for BurstLoss {
    type Err = String;

    /// "P,R" or "P,R,BAD".
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<f64> = text.split(',').map(probability).collect::<Result<_, _>>()?;
        let (to_bad, to_good, loss_when_bad) = match parts[..] {
            [to_bad, to_good] => (to_bad, to_good, 1.0),
            [to_bad, to_good, bad] => (to_bad, to_good, bad),
            _ => return Err(format!("\"{text}\" is not P,R or P,R,BAD")),
        };
        Ok(Self {
            to_bad,
            to_good,
            loss_when_bad,
        })
    }
}

impl FromStr for Delay {
    type Err = String;

    /// "20", "20+-5" or "20±5": milliseconds.
    fn from_str(text: &str) -> Result<Self, String> {
        let (time, jitter) = text
            .split_once('±')
            .or_else(|| text.split_once("+-"))
            .unwrap_or((text, "0"));
        Ok(Self {
            time: milliseconds(time)?,
            jitter: milliseconds(jitter)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!(probability("1%"), Ok(0.01));
        assert_eq!(probability("0.5"), Ok(0.5));
        assert!(probability("101%").is_err() && probability("much").is_err());
        let burst: BurstLoss = "1%,25%".parse().expect("a burst");
        assert!((burst.loss_when_bad - 1.0).abs() < 1e-9);
        let delay: Delay = "20±5".parse().expect("a delay");
        assert_eq!(delay, "20+-5".parse().expect("a delay"));
        assert_eq!(delay.jitter, Duration::from_millis(5));
        assert!("1".parse::<BurstLoss>().is_err() && "x".parse::<Delay>().is_err());
    }

    #[test]
    fn the_plan_says_what_is_done() {
        assert_eq!(Impairment::default().to_string(), "");
        let bad = Impairment {
            loss_in: 0.02,
            loss_out: 0.01,
            duplicate: 0.005,
            ..Impairment::default()
        };
        assert_eq!(bad.to_string(), "loss 2 % in, 1 % out, duplicates 0.5 %");
    }
}
