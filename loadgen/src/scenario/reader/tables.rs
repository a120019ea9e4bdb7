//! A scenario file as it is written: the keys and their forms. It never fills in what is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use crate::scenario::{Acks, Numbers, Stop};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    pub title: String,
    pub clients: BTreeMap<String, ClientTable>,
    pub steps: Vec<StepTable>,
}

/// Habits; what is not said comes from `inherits`, or else from RFC 1350.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientTable {
    pub inherits: Option<Spanned<String>>,
    pub mode: Option<Mode>,
    /// `["blksize 1432", "tsize 0"]`, in the order of the request.
    pub options: Option<Vec<Spanned<String>>>,
    /// Bytes in hexadecimal.
    pub trailing_junk: Option<Spanned<String>>,
    pub broadcast: Option<bool>,
    pub same_port: Option<bool>,
    pub acks: Option<AcksTable>,
    pub stop: Option<StopTable>,
    pub request: Option<PatienceTable>,
    pub data: Option<PatienceTable>,
    #[serde(default, deserialize_with = "some_duration")]
    pub block_time: Option<Duration>,
    #[serde(default, deserialize_with = "some_duration")]
    pub limit: Option<Duration>,
    pub queue: Option<u32>,
    pub farewell: Option<FarewellTable>,
    pub strict_oack: Option<u16>,
    pub numbers: Option<NumbersTable>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Octet,
    Netascii,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcksTable {
    Window,
    Every,
    EveryGap,
    Gap,
    Received,
    New,
}

impl From<AcksTable> for Acks {
    fn from(table: AcksTable) -> Self {
        match table {
            AcksTable::Window => Self::Window,
            AcksTable::Every => Self::Every,
            AcksTable::EveryGap => Self::EveryGap,
            AcksTable::Gap => Self::Gap,
            AcksTable::Received => Self::Received,
            AcksTable::New => Self::New,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StopTable {
    End,
    AfterOack {
        code: u16,
        text: String,
    },
    AfterBlocks {
        blocks: u64,
        code: u16,
        text: String,
    },
    Vanish {
        blocks: u64,
    },
}

impl From<StopTable> for Stop {
    fn from(table: StopTable) -> Self {
        match table {
            StopTable::End => Self::End,
            StopTable::AfterOack { code, text } => Self::AfterOack { code, text },
            StopTable::AfterBlocks { blocks, code, text } => {
                Self::AfterBlocks { blocks, code, text }
            }
            StopTable::Vanish { blocks } => Self::Vanish { blocks },
        }
    }
}

/// `{ code = 0, text = "No error, file close" }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FarewellTable {
    pub code: u16,
    pub text: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumbersTable {
    ToZero,
    ToOne,
    End,
}

impl From<NumbersTable> for Numbers {
    fn from(table: NumbersTable) -> Self {
        match table {
            NumbersTable::ToZero => Self::ToZero,
            NumbersTable::ToOne => Self::ToOne,
            NumbersTable::End => Self::End,
        }
    }
}

/// `{ first = "250ms", grow = "200%", add = "0ms", most = "10s", tries = 5 }`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PatienceTable {
    #[serde(deserialize_with = "duration")]
    pub first: Duration,
    #[serde(default = "no_growth", deserialize_with = "percent")]
    pub grow: u32,
    #[serde(default, deserialize_with = "duration")]
    pub add: Duration,
    #[serde(default, deserialize_with = "some_duration")]
    pub most: Option<Duration>,
    pub tries: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepTable {
    pub label: String,
    pub client: Spanned<String>,
    pub file: Option<Spanned<String>>,
    /// Several names, asked one after the other.
    pub files: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub expect: ExpectTable,
    #[serde(default, deserialize_with = "duration")]
    pub pause: Duration,
    #[serde(default)]
    pub restarts: u32,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectTable {
    #[default]
    File,
    Optional,
    Chain,
}

/// "250ms", "4s", "1.5s", "2min".
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().ok()?;
    let unit = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).ok_or_else(|| {
        de::Error::custom(format!("\"{text}\" is no time such as \"250ms\" or \"4s\""))
    })
}

fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from).map(Some)
}

fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let text = String::deserialize(from)?;
    text.strip_suffix('%')
        .and_then(|number| number.parse().ok())
        .filter(|percent| (100..=1000).contains(percent))
        .ok_or_else(|| {
            de::Error::custom(format!(
                "\"{text}\" is no growth from \"100%\" to \"1000%\""
            ))
        })
}

const fn no_growth() -> u32 {
    100
}
