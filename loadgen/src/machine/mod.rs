//! The clients: one transfer (`Download`), and the boot that is made of transfers (`Boot`).
//! They never send, never look at a clock and never allocate for a packet: the engine tells them
//! packets and the time, and they say what to send and until when they wait.

mod boot;
mod download;
mod grant;
mod identity;
mod numbers;
mod past;
mod recipe;
mod waits;

pub use boot::{Boot, Next};
pub use download::{Download, Inbound, Reaction, Scene};
pub use grant::Granted;
pub use identity::Identity;
pub use past::Past;
pub use recipe::Recipe;

/// Nanoseconds since an arbitrary moment that is the same for a whole run.
pub type Nanos = u64;

/// What a client wants to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    Nothing,
    Request,
    Ack(u16),
    /// ERROR to the server: the client stops. The text is the recipe's, or none.
    Error(u16),
    /// The ERROR of the recipe behind a last ACK.
    Farewell,
    /// ERROR 5 to a port that the client does not talk to (RFC 1350, section 4).
    UnknownTransfer,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    Completed,
    /// By the client, as its habit is.
    Stopped,
    /// ERROR 1 where that was expected.
    Missing,
    /// Without a word, on purpose.
    Vanished,
    Corrupt,
    /// Shorter or longer than the file, or longer than the client can count.
    WrongLength,
    TimedOut,
    /// An ERROR that was not expected, with its code.
    Refused(u16),
    /// Options that were not asked for, blocks that are too long.
    Violated,
    /// Still under way when the run was cut short.
    Cut,
}

impl End {
    /// The machine has what it wanted, or was not meant to get it.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Corrupt
                | Self::WrongLength
                | Self::TimedOut
                | Self::Refused(_)
                | Self::Violated
                | Self::Cut
        )
    }

    /// For people: "kernel: timed out".
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Missing => "missing",
            Self::Vanished => "vanished",
            Self::Corrupt => "corrupt",
            Self::WrongLength => "wrong length",
            Self::TimedOut => "timed out",
            Self::Refused(_) => "refused",
            Self::Violated => "violated",
            Self::Cut => "cut",
        }
    }
}

/// Packets, counted over all clients of a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub sent: u64,
    pub received: u64,
    /// Content of new blocks in order.
    pub bytes: u64,
    /// New blocks in order.
    pub blocks: u64,
    pub duplicates: u64,
    /// After a gap, so thrown away.
    pub out_of_order: u64,
    pub requests_repeated: u64,
    pub acks_repeated: u64,
    pub strangers: u64,
}

impl Tally {
    /// Adds another thread's.
    pub const fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.bytes += other.bytes;
        self.blocks += other.blocks;
        self.duplicates += other.duplicates;
        self.out_of_order += other.out_of_order;
        self.requests_repeated += other.requests_repeated;
        self.acks_repeated += other.acks_repeated;
        self.strangers += other.strangers;
    }
}
