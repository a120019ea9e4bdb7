//! How a client behaves, as a table: what it asks for, when it repeats, what it does with blocks
//! that it did not expect.
//! It never acts.

use ringboot::transfer::Nanos;

#[derive(Debug, Clone)]
pub struct Habits {
    pub name: &'static str,
    pub asks: Vec<Ask>,
    /// Junk behind the request.
    pub junk: &'static [u8],
    pub slashes: Slashes,
    /// Sends each request this many times at once.
    pub request_copies: u8,
    pub request_pace: Pace,
    /// Its timer while it reads.
    pub read_pace: Pace,
    /// Whether that timer sends the last ACK again.
    pub resends_acks: bool,
    /// A block that it ignores puts that timer off as well.
    pub put_off: bool,
    pub on_old: OnOld,
    pub on_gap: OnGap,
    /// Keeps blocks behind a gap.
    pub hoards: bool,
    /// Takes no DATA before an OACK.
    pub needs_oack: bool,
    /// First asks for the size, stops with this ERROR, and asks again from another port.
    pub probes_with: Option<u16>,
    /// ERROR without text or NUL, four bytes in all.
    pub bare_errors: bool,
    /// ACKs with a fifth byte.
    pub long_acks: bool,
    /// The code that answers an OACK which it does not like.
    pub refuses_with: u16,
    /// Starts over from a new port so many times after a timeout or an ERROR other than 1 and 2.
    pub restarts: u8,
    pub closing: Closing,
    /// Takes up to so long for each datagram.
    pub think: Nanos,
    /// Pauses, now and then, up to so long before an ACK.
    pub stall: Nanos,
}

/// An option in a request, in the client's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Tsize(u64),
    Blksize(u16),
    /// tftp-hpa: rounded down to a power of two.
    Blksize2(u16),
    Windowsize(u16),
    Timeout(u8),
    Utimeout(u32),
    Rollover(u8),
    /// Windows' boot manager: the fifth byte of its ACKs is the size of the next window.
    Msftwindow,
    /// An option that the server does not know or must not accept.
    Ignored(&'static str, &'static str),
}

/// Intervals of a timer that grow, and how often it may fire.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub first: Nanos,
    pub percent: u64,
    pub ceiling: Nanos,
    pub tries: u16,
}

/// A block that it has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOld {
    Ignore,
    /// ACK of the newest block in order.
    AckNewest,
    /// The same, once.
    AckOnce,
    /// ACK of that very block.
    AckThat,
}

/// A block behind a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    Ignore,
    /// ACK of the newest block in order, for each such block.
    AckEach,
    /// The same, once for each gap.
    AckOnce,
}

/// What happens to the port after the last ACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Stays for a while and acknowledges a repeated last block.
    Dally(Nanos),
    /// The host answers with ICMP.
    Icmp,
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slashes {
    Plain,
    Leading,
    Back,
}

impl Pace {
    pub const fn every(interval: Nanos, tries: u16) -> Self {
        Self::growing(interval, 100, interval, tries)
    }

    pub const fn growing(first: Nanos, percent: u64, ceiling: Nanos, tries: u16) -> Self {
        Self {
            first,
            percent,
            ceiling,
            tries,
        }
    }

    /// The wait after `tries` repetitions.
    pub fn interval(&self, tries: u16) -> Nanos {
        let mut interval = self.first;
        for _ in 0..tries {
            if interval >= self.ceiling {
                break;
            }
            interval = Nanos(interval.times(self.percent).0 / 100);
        }
        interval.min(self.ceiling)
    }

    /// How long it goes on without an answer.
    fn patience(&self) -> Nanos {
        (0..=self.tries).fold(Nanos::ZERO, |sum, tries| sum + self.interval(tries))
    }
}

impl Habits {
    /// Repeats whatever may have been lost, for long enough that the server's own resends are
    /// many: such a client must finish under every bearable network.
    pub fn is_patient(&self) -> bool {
        self.resends_acks
            && self.request_pace.tries >= 5
            && self.read_pace.patience() >= Nanos::from_secs(15)
    }

    pub fn blksize(&self) -> u64 {
        let asked = self.asks.iter().find_map(|ask| match ask {
            Ask::Blksize(blksize) => Some(u64::from(*blksize)),
            _ => None,
        });
        asked.unwrap_or(512)
    }

    pub fn windowsize(&self) -> u16 {
        let asked = self.asks.iter().find_map(|ask| match ask {
            Ask::Windowsize(windowsize) => Some(*windowsize),
            _ => None,
        });
        asked.unwrap_or(1)
    }
}
