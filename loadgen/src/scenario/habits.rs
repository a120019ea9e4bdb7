//! The habits of a TFTP client: what it asks, how it acknowledges, how long it waits.
//! It never holds state of a transfer. Source of the shipped values: the firmwares' own code.

use std::time::Duration;

/// How one kind of client runs one transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Habits {
    pub netascii: bool,
    /// Options in the order in which they are asked.
    pub options: Vec<Ask>,
    /// Bytes behind the request that do not belong there (old Intel ROMs: 0xff 0xff).
    pub trailing_junk: Vec<u8>,
    /// The request goes to the broadcast address, and so do the ACKs (old Cisco switches).
    pub broadcast: bool,
    /// The next request comes from the same port as the one before.
    pub same_port: bool,
    pub acks: Acks,
    pub stop: Stop,
    /// Waiting for the answer to a request.
    pub request: Patience,
    /// Waiting for the next DATA. With no tries at all the client never repeats an ACK (GRUB).
    pub data: Patience,
    /// Time that the client takes for each block before it acknowledges (a slow client).
    pub block_time: Duration,
    /// The whole transfer may take so long (Raspberry Pi: 30 s for each file).
    pub limit: Option<Duration>,
    /// Blocks that a slow client takes in before its ACKs wait for it (GRUB: 50).
    pub queue: u32,
    /// An ERROR behind the last ACK, for want of another way to say that it is done (PXELINUX).
    pub farewell: Option<Farewell>,
    /// An OACK with options that were not asked, or with larger values, ends the transfer with
    /// this ERROR code; none: it is tolerated.
    pub strict_oack: Option<u16>,
    pub numbers: Numbers,
}

/// One option of a request, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub name: String,
    pub value: String,
}

/// Last words: an ERROR's code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    pub code: u16,
    pub text: String,
}

/// When a client acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Acks {
    /// RFC 7440: the end of a window, the last block, and once for a gap.
    Window,
    /// Every DATA with the newest block in order (iPXE).
    Every,
    /// Like `Window`, but for each packet out of order the last block in order again (EDK2).
    EveryGap,
    /// Like `Window`, but never for a block that came before: who lost that ACK waits (U-Boot).
    Gap,
    /// New blocks; those that came before with their own number; none ahead of a gap (GRUB).
    Received,
    /// New blocks only (busybox).
    New,
}

/// When a client has had enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// At the end of the file.
    End,
    /// After the OACK, with this ERROR: it only wanted the size.
    AfterOack { code: u16, text: String },
    /// After so many blocks, with this ERROR: a header was all it needed.
    AfterBlocks {
        blocks: u64,
        code: u16,
        text: String,
    },
    /// After so many blocks, without a word: the machine lost power.
    Vanish { blocks: u64 },
}

/// A timer that grows: waits `first`, then `grow` times as much plus `add`, at most `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub first: Duration,
    /// In hundredths: 150 multiplies each wait by 1.5.
    pub grow_percent: u32,
    pub add: Duration,
    pub most: Duration,
    /// Repeats before the client gives up.
    pub tries: u32,
}

/// How block numbers beyond 65,535 are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbers {
    /// 65,535 is followed by 0.
    ToZero,
    /// 65,535 is followed by 1.
    ToOne,
    /// There is nothing after 65,535 (Raspberry Pi 4).
    End,
}

impl Default for Habits {
    /// RFC 1350 with patience of 1 s and 6 tries.
    fn default() -> Self {
        let second = Patience::fixed(Duration::from_secs(1), 6);
        Self {
            netascii: false,
            options: Vec::new(),
            trailing_junk: Vec::new(),
            broadcast: false,
            same_port: false,
            acks: Acks::Window,
            stop: Stop::End,
            request: second,
            data: second,
            block_time: Duration::ZERO,
            limit: None,
            queue: 1,
            farewell: None,
            strict_oack: None,
            numbers: Numbers::ToZero,
        }
    }
}

impl Patience {
    /// The same wait each time.
    #[must_use]
    pub const fn fixed(wait: Duration, tries: u32) -> Self {
        Self {
            first: wait,
            grow_percent: 100,
            add: Duration::ZERO,
            most: wait,
            tries,
        }
    }
}
