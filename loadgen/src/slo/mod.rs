//! Objectives: `p99(boot) < 90s, failed < 0.1%`. It never measures; it reads results.

mod measure;
mod parse;
pub mod search;

use std::str::FromStr;

use crate::result::{Objective, RunResult};

/// Several conditions, all of which must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo(pub Vec<Condition>);

/// `p99(boot) < 90s`
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was written, for the report.
    pub text: String,
    pub what: What,
    pub relation: Relation,
    /// In nanoseconds, bytes a second, or as a count or share.
    pub bound: f64,
    /// The bound is a share of all that began, 0 to 1.
    pub share: bool,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// A figure of a distribution.
    Latency(Statistic, Distribution),
    /// How many ended so.
    Count(Count),
    /// Bytes of files in a second.
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    Min,
    Mean,
    Max,
    /// 0 to 1.
    Quantile(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    FirstByte,
    Block,
    Transfer,
    Boot,
}

/// Counts of transfers, but for `Failed`, which is of machines where machines boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Failed,
    TimedOut,
    Refused,
    Corrupt,
    WrongLength,
    Violated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse::slo(text)
    }
}

impl Slo {
    /// Each condition against what was measured.
    #[must_use]
    pub fn judge(&self, result: &RunResult) -> Vec<Objective> {
        self.0
            .iter()
            .map(|condition| measure::judge(condition, result))
            .collect()
    }
}

/// The objectives that a result was made with, judged anew on what it holds now.
pub fn judge_again(result: &RunResult) -> Result<Vec<Objective>, String> {
    let mut texts: Vec<&str> = result
        .objectives
        .iter()
        .map(|objective| objective.text.as_str())
        .collect();
    texts.dedup();
    let mut judged: Vec<Objective> = Vec::new();
    for text in texts {
        if judged.iter().all(|known| known.text != text) {
            judged.extend(text.parse::<Slo>()?.judge(result));
        }
    }
    Ok(judged)
}
