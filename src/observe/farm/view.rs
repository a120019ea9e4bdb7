//! What the farm tells those who watch it: the page, `ringboot top`, and whoever reads `/events`.
//! It never holds more than one look at the farm. Times are milliseconds on the server's own clock.

use serde::{Deserialize, Serialize, Serializer};

use super::stage::Stage;

/// What changed since the last look; the first one has everything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Look {
    pub now: u64,
    /// What was known before is void.
    pub full: bool,
    pub rows: Vec<Row>,
    /// Machines that are no longer remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<u32>,
    pub farm: Summary,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Vec<Failure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RowCells")]
pub struct Row {
    pub id: u32,
    pub ip: String,
    /// Empty where unknown, and so is the hostname.
    pub mac: String,
    pub host: String,
    pub state: State,
    /// Why it is in this state; empty where the state says it all.
    pub why: String,
    /// Since when.
    pub since: u64,
    /// What it fetches, or fetched last.
    pub file: String,
    pub stage: Stage,
    pub bytes: u64,
    pub size: u64,
    /// Bytes a second.
    pub rate: u64,
    /// Of this boot, and so are the files and the misses.
    pub resends: u32,
    /// Microseconds; 0: never measured.
    pub round_trip: u32,
    pub files: u16,
    pub misses: u16,
}

/// A row without its keys: there are thousands of them in a look.
type RowCells = (
    u32,
    String,
    String,
    String,
    State,
    String,
    u64,
    String,
    Stage,
    u64,
    u64,
    u64,
    u32,
    u32,
    u16,
    u16,
);

impl From<RowCells> for Row {
    fn from(cells: RowCells) -> Self {
        Self {
            id: cells.0,
            ip: cells.1,
            mac: cells.2,
            host: cells.3,
            state: cells.4,
            why: cells.5,
            since: cells.6,
            file: cells.7,
            stage: cells.8,
            bytes: cells.9,
            size: cells.10,
            rate: cells.11,
            resends: cells.12,
            round_trip: cells.13,
            files: cells.14,
            misses: cells.15,
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = (
            self.id,
            &self.ip,
            &self.mac,
            &self.host,
            self.state,
            &self.why,
            self.since,
            &self.file,
            self.stage,
            self.bytes,
            self.size,
            self.rate,
            self.resends,
            self.round_trip,
            self.files,
            self.misses,
        );
        cells.serialize(serializer)
    }
}

/// How a machine does, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A transfer of it does not get on.
    Stuck,
    /// Its last request failed.
    Failing,
    /// It began to boot and asks for nothing more.
    Silent,
    /// It waits for its turn.
    Waiting,
    Fetching,
    /// Between two files.
    Booting,
    Done,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Stuck,
        Self::Failing,
        Self::Silent,
        Self::Waiting,
        Self::Fetching,
        Self::Booting,
        Self::Done,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Failing => "failing",
            Self::Silent => "silent",
            Self::Waiting => "waiting",
            Self::Fetching => "fetching",
            Self::Booting => "booting",
            Self::Done => "done",
        }
    }
}

/// The whole farm in a few numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub machines: u32,
    /// Machines in each state, as [`State::ALL`] orders them.
    pub states: [u32; 7],
    pub transfers: u32,
    /// Bytes a second.
    pub rate: u64,
    pub shards: u32,
    pub io: String,
    pub version: String,
    pub draining: bool,
}

/// Requests of a machine that failed alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub at: u64,
    pub id: u32,
    pub ip: String,
    pub host: String,
    pub file: String,
    pub outcome: String,
    pub plain: String,
    pub advice: String,
    pub times: u32,
}

/// How many machines were done so long after the storm began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curve {
    /// When the first machine asked.
    pub from: u64,
    pub machines: u32,
    /// Milliseconds after that, and machines done by then; rising.
    pub points: Vec<(u64, u32)>,
}

/// Everything about one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    pub now: u64,
    pub row: Row,
    /// When this boot began.
    pub boot: u64,
    /// Boots that were seen, this one included.
    pub boots: u32,
    /// Files of this boot that are not remembered any more.
    pub left_out: u32,
    pub files: Vec<FileEvent>,
}

/// One file of a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEvent {
    pub name: String,
    pub stage: Stage,
    pub write: bool,
    pub began: u64,
    /// None: under way.
    pub ended: Option<u64>,
    /// The log's word, or what it is doing.
    pub outcome: String,
    pub plain: String,
    pub advice: String,
    pub bytes: u64,
    pub size: u64,
    pub resends: u32,
    /// How often in a row.
    pub times: u32,
}
