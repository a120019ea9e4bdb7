//! What of a client's options is granted, and the OACK that says so (RFC 2347, 2348, 2349, 7440).
//! It never grants more than was asked, and never mentions what was not.

use alloc::boxed::Box;
use core::fmt::{self, Write};
use core::net::SocketAddr;

use super::time::Nanos;
use super::window::Rollover;
use crate::wire::options::parse_decimal;
use crate::wire::{OackBuilder, OptionName, OptionSet, Options};

/// The block size without options (RFC 1350).
pub const DEFAULT_BLKSIZE: u16 = 512;
/// RFC 2348: valid sizes are 8 to 65,464.
pub const MIN_BLKSIZE: u16 = 8;
/// RFC 2348: 65,535 less the IP, UDP and TFTP headers.
pub const MAX_BLKSIZE: u16 = 65_464;

/// What we are ready to grant for this request.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Largest block that the path to the client carries in one piece.
    pub max_blksize: u16,
    pub max_windowsize: u16,
    /// What the answer to tsize says.
    pub size: SizeSaid,
    /// The group that a client may join who asks for it.
    pub invitation: Option<Invitation>,
    /// Options that are never granted.
    pub refused: OptionSet,
    /// What holds where the client names no timeout.
    pub timeout: Option<Nanos>,
}

/// A place in a multicast group (RFC 2090).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// Where the DATA packets go.
    pub group: SocketAddr,
    /// Whether this client is to acknowledge them.
    pub master: bool,
}

/// RFC 2349: who knows the size says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeSaid {
    /// A read request: bytes that the client will receive.
    Ours(u64),
    /// A write request: the client's own word, echoed.
    Theirs,
}

/// What holds for the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub blksize: u16,
    pub windowsize: u16,
    /// The client says by each ACK how large the next window is to be: up to 255 blocks, for who gets
    /// fewer than it asked for would wait for the others.
    pub variable_window: bool,
    /// The client's retransmission interval, an upper bound for ours.
    pub timeout: Option<Nanos>,
    pub rollover: Rollover,
    /// The client wants to know the size, and perhaps nothing else.
    pub tsize_asked: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            blksize: DEFAULT_BLKSIZE,
            windowsize: 1,
            variable_window: false,
            timeout: None,
            rollover: Rollover::ToZero,
            tsize_asked: false,
        }
    }
}

/// Settles the terms. Without an OACK the answer to the request is DATA 1.
///
/// An option that is unknown, malformed or repeated is passed over as if it had not been sent.
#[must_use]
pub fn negotiate(options: &Options<'_>, offer: &Offer) -> (Terms, Option<Box<[u8]>>) {
    let mut terms = Terms {
        timeout: offer.timeout,
        ..Terms::default()
    };
    let mut oack = OackBuilder::default();
    let mut seen = Seen::default();
    for (name, value) in options.iter() {
        let Some(option) = OptionName::parse(name) else {
            continue;
        };
        let Some(grant) = Grant::judge(option, value, offer) else {
            continue;
        };
        terms.tsize_asked |= matches!(grant, Grant::Size(_) | Grant::SizeUnsaid);
        if seen.first(&grant) && grant.write_to(&mut oack, name, value) {
            grant.apply(&mut terms);
        }
    }
    (terms, oack.finish())
}

/// One well-formed option and our answer to it.
enum Grant {
    Blksize(u16),
    Windowsize(u16),
    /// Echoed as it came: U-Boot and EDK2 give up when it differs by a character.
    Timeout(Nanos),
    Size(u64),
    /// An empty file: curl takes a tsize of 0 for a failure, so the option is left out.
    SizeUnsaid,
    Rollover(Rollover),
    Multicast(Invitation),
    Msftwindow,
}

/// What Windows' boot manager sends, and what it takes for consent.
const MSFTWINDOW_ASKED: u64 = 31_416;
const MSFTWINDOW_GRANTED: &[u8] = b"27182";

impl Grant {
    fn judge(option: OptionName, value: &[u8], offer: &Offer) -> Option<Self> {
        if offer.refused.contains(option) {
            return None;
        }
        if option == OptionName::Multicast {
            // RFC 2090: the client sends it without a value.
            return offer.invitation.map(Self::Multicast);
        }
        let number = parse_decimal(value)?;
        match option {
            // A group is sent one block for each ACK, and its numbers never wrap.
            OptionName::Windowsize | OptionName::Rollover | OptionName::Msftwindow
                if offer.invitation.is_some() =>
            {
                None
            }
            OptionName::Blksize => granted_blksize(number, offer).map(Self::Blksize),
            OptionName::Blksize2 => {
                granted_blksize(number, offer).map(|blksize| Self::Blksize(1 << blksize.ilog2()))
            }
            OptionName::Timeout if (1..=255).contains(&number) => {
                Some(Self::Timeout(Nanos::from_secs(number)))
            }
            // tftp-hpa's bounds: 10 ms to 255 s.
            OptionName::Utimeout if (10_000..=255_000_000).contains(&number) => {
                Some(Self::Timeout(Nanos::from_micros(number)))
            }
            OptionName::Timeout | OptionName::Utimeout => None,
            OptionName::Tsize => Some(match offer.size {
                SizeSaid::Ours(0) => Self::SizeUnsaid,
                SizeSaid::Ours(size) => Self::Size(size),
                SizeSaid::Theirs => Self::Size(number),
            }),
            OptionName::Windowsize => {
                let asked = u16::try_from(number).unwrap_or(u16::MAX);
                (asked > 0).then(|| Self::Windowsize(asked.min(offer.max_windowsize).max(1)))
            }
            OptionName::Rollover => match number {
                0 => Some(Self::Rollover(Rollover::ToZero)),
                1 => Some(Self::Rollover(Rollover::ToOne)),
                _ => None,
            },
            // Who receives has nothing to choose for.
            OptionName::Msftwindow => (number == MSFTWINDOW_ASKED
                && offer.max_windowsize > 1
                && offer.size != SizeSaid::Theirs)
                .then_some(Self::Msftwindow),
            OptionName::Multicast => None,
        }
    }

    /// Adds our answer to the OACK. Says whether the option is now granted.
    fn write_to(&self, oack: &mut OackBuilder, name: &[u8], asked: &[u8]) -> bool {
        match self {
            Self::Blksize(number) | Self::Windowsize(number) => {
                oack.push(name, Text::of(&number).as_bytes())
            }
            Self::Size(size) => oack.push(name, Text::of(&size).as_bytes()),
            Self::Multicast(invitation) => oack.push(name, Text::of(invitation).as_bytes()),
            Self::Timeout(_) | Self::Rollover(_) => oack.push(name, asked),
            Self::Msftwindow => oack.push(name, MSFTWINDOW_GRANTED),
            Self::SizeUnsaid => false,
        }
    }

    const fn apply(&self, terms: &mut Terms) {
        match self {
            Self::Blksize(blksize) => terms.blksize = *blksize,
            Self::Windowsize(windowsize) => terms.windowsize = *windowsize,
            Self::Timeout(timeout) => terms.timeout = Some(*timeout),
            Self::Rollover(rollover) => terms.rollover = *rollover,
            Self::Msftwindow => terms.variable_window = true,
            Self::Size(_) | Self::SizeUnsaid | Self::Multicast(_) => {}
        }
    }
}

fn granted_blksize(asked: u64, offer: &Offer) -> Option<u16> {
    if asked < u64::from(MIN_BLKSIZE) {
        return None;
    }
    let path = offer.max_blksize.clamp(MIN_BLKSIZE, MAX_BLKSIZE);
    Some(u16::try_from(asked).map_or(path, |asked| asked.min(path)))
}

/// RFC 2347: an option may be specified only once. The first of its kind counts, and blksize2
/// and utimeout are of one kind with the options they vary.
#[derive(Default)]
struct Seen {
    blksize: bool,
    windowsize: bool,
    timeout: bool,
    size: bool,
    rollover: bool,
    multicast: bool,
    msftwindow: bool,
}

impl Seen {
    const fn first(&mut self, grant: &Grant) -> bool {
        let flag = match grant {
            Grant::Blksize(_) => &mut self.blksize,
            Grant::Windowsize(_) => &mut self.windowsize,
            Grant::Timeout(_) => &mut self.timeout,
            Grant::Size(_) | Grant::SizeUnsaid => &mut self.size,
            Grant::Rollover(_) => &mut self.rollover,
            Grant::Multicast(_) => &mut self.multicast,
            Grant::Msftwindow => &mut self.msftwindow,
        };
        !core::mem::replace(flag, true)
    }
}

/// RFC 2090: "addr,port,mc".
impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, master } = self;
        write!(f, "{},{},{}", group.ip(), group.port(), u8::from(*master))
    }
}

/// A short text without the heap: any number, or any address with a port and a flag.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Text {
    fn of(value: &dyn fmt::Display) -> Self {
        let mut text = Self {
            bytes: [0; 64],
            len: 0,
        };
        // The longest value, an IPv6 address with port and flag, has 47 bytes: the write cannot fail.
        let _ = write!(text, "{value}");
        text
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let target = room.get_mut(..text.len()).ok_or(fmt::Error)?;
        target.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Packet, decode};

    const OFFER: Offer = Offer {
        max_blksize: 1468,
        max_windowsize: 64,
        size: SizeSaid::Ours(1_000_000),
        invitation: None,
        refused: OptionSet::NONE.with(OptionName::Msftwindow),
        timeout: None,
    };

    fn answer(options: &[u8], offer: &Offer) -> (Terms, String) {
        let mut request = b"\0\x01f\0octet\0".to_vec();
        request.extend_from_slice(options);
        let Ok(Packet::Rrq(request)) = decode(&request) else {
            panic!("not a request");
        };
        let (terms, oack) = negotiate(&request.options, offer);
        let text = oack.map_or_else(String::new, |oack| {
            assert!(oack.starts_with(b"\0\x06"));
            String::from_utf8_lossy(&oack[2..]).replace('\0', "|")
        });
        (terms, text)
    }

    #[test]
    fn grants_in_the_clients_order_and_spelling() {
        let (terms, oack) = answer(
            b"TSIZE\x000\0windowsize\x0016\0blkSize\x001432\0timeout\x0005\0",
            &OFFER,
        );
        assert_eq!(oack, "TSIZE|1000000|windowsize|16|blkSize|1432|timeout|05|");
        assert_eq!((terms.blksize, terms.windowsize), (1432, 16));
        assert_eq!(terms.timeout, Some(Nanos::from_secs(5)));
    }

    #[test]
    fn never_grants_more_than_asked_or_than_the_path_allows() {
        assert_eq!(answer(b"blksize\x0065464\0", &OFFER).0.blksize, 1468);
        assert_eq!(answer(b"blksize\x0099999999\0", &OFFER).0.blksize, 1468);
        assert_eq!(answer(b"blksize\x008\0", &OFFER).0.blksize, 8);
        assert_eq!(answer(b"windowsize\x0065535\0", &OFFER).1, "windowsize|64|");
        assert_eq!(answer(b"blksize2\x001468\0", &OFFER).1, "blksize2|1024|");
    }

    #[test]
    fn malformed_unknown_and_repeated_options_are_passed_over() {
        for options in [
            &b"blksize\0\0"[..],
            b"blksize\0-1\0",
            b"blksize\x007\0",
            b"blksize\x0018446744073709551616\0",
            b"timeout\x000\0",
            b"timeout\x00256\0",
            b"utimeout\x00100\0",
            b"windowsize\x000\0",
            b"rollover\x002\0",
            b"tsize\0many\0",
            b"multicast\0\0",
            b"msftwindow\x0031416\0",
            b"blksize\0",
        ] {
            assert_eq!(answer(options, &OFFER), (Terms::default(), String::new()));
        }
        let (terms, oack) = answer(
            b"blksize\x00512\0blksize\x001024\0blksize2\x00256\0",
            &OFFER,
        );
        assert_eq!((terms.blksize, oack.as_str()), (512, "blksize|512|"));
    }

    #[test]
    fn an_empty_file_leaves_tsize_out_but_remembers_that_it_was_asked() {
        let offer = Offer {
            size: SizeSaid::Ours(0),
            ..OFFER
        };
        let (terms, oack) = answer(b"tsize\x000\0blksize\x00512\0", &offer);
        assert_eq!(oack, "blksize|512|");
        assert!(terms.tsize_asked);
        assert_eq!(answer(b"tsize\x000\0", &offer).1, "");
    }

    #[test]
    fn a_group_is_offered_to_who_asks_and_has_no_windows() {
        let group = "[ff15::4:1]:1758".parse().expect("an address");
        let invitation = |master| Offer {
            invitation: Some(Invitation { group, master }),
            ..OFFER
        };
        let asked = b"Multicast\0\0windowsize\x0016\0rollover\x001\0blksize\x001024\0";
        let (terms, oack) = answer(asked, &invitation(true));
        assert_eq!(oack, "Multicast|ff15::4:1,1758,1|blksize|1024|");
        assert_eq!((terms.windowsize, terms.rollover), (1, Rollover::ToZero));
        let (_, oack) = answer(b"multicast\0\0", &invitation(false));
        assert_eq!(oack, "multicast|ff15::4:1,1758,0|");
        assert_eq!(
            answer(b"blksize\x00512\0", &invitation(true)).1,
            "blksize|512|"
        );
    }

    #[test]
    fn refused_options_are_passed_over_and_a_timeout_holds_where_none_is_named() {
        let offer = Offer {
            refused: OptionSet::default()
                .with(OptionName::Blksize)
                .with(OptionName::Tsize),
            timeout: Some(Nanos::from_millis(300)),
            ..OFFER
        };
        let asked = b"tsize\x000\0blksize\x001024\0windowsize\x004\0";
        let (terms, oack) = answer(asked, &offer);
        assert_eq!(oack, "windowsize|4|");
        assert!(!terms.tsize_asked);
        assert_eq!(terms.timeout, Some(Nanos::from_millis(300)));
        let (terms, _) = answer(b"timeout\x002\0", &offer);
        assert_eq!(terms.timeout, Some(Nanos::from_secs(2)));
    }

    /// The request of Windows' boot manager, and the answers that it knows.
    #[test]
    fn the_variable_window_is_granted_where_it_is_offered() {
        let asked = b"tsize\x000\0blksize\x001456\0windowsize\x004\0msftwindow\x0031416\0";
        let offered = Offer {
            refused: OptionSet::default(),
            ..OFFER
        };
        let (terms, oack) = answer(asked, &offered);
        assert_eq!(
            oack,
            "tsize|1000000|blksize|1456|windowsize|4|msftwindow|27182|"
        );
        assert_eq!((terms.windowsize, terms.variable_window), (4, true));
        let (terms, oack) = answer(asked, &OFFER);
        assert_eq!(oack, "tsize|1000000|blksize|1456|windowsize|4|");
        assert!(!terms.variable_window);
        for other in [&b"msftwindow\x0027182\0"[..], b"msftwindow\0\0"] {
            assert_eq!(answer(other, &offered), (Terms::default(), String::new()));
        }
        let upload = Offer {
            size: SizeSaid::Theirs,
            ..offered
        };
        let without_windows = Offer {
            max_windowsize: 1,
            ..offered
        };
        for offer in [upload, without_windows] {
            assert_eq!(answer(b"msftwindow\x0031416\0", &offer).1, "");
        }
    }

    #[test]
    fn the_size_of_an_upload_is_the_clients_word_zero_too() {
        let offer = Offer {
            size: SizeSaid::Theirs,
            ..OFFER
        };
        assert_eq!(answer(b"tsize\x0012345\0", &offer).1, "tsize|12345|");
        assert_eq!(answer(b"tsize\x000\0", &offer).1, "tsize|0|");
    }

    #[test]
    fn sizes_are_64_bits_and_may_come_non_zero() {
        let offer = Offer {
            size: SizeSaid::Ours(u64::MAX),
            ..OFFER
        };
        let (_, oack) = answer(b"tsize\x0012345\0", &offer);
        assert_eq!(oack, "tsize|18446744073709551615|");
    }
}
