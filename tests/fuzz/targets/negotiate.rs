//! Any option list against any offer. The first seven bytes are the offer, the rest the options.
//! It never repeats the negotiation: it judges each granted pair by what was asked and offered.

use ringboot::transfer::{MAX_BLKSIZE, Nanos, Offer, Rollover, SizeSaid, Terms, negotiate};
use ringboot::wire::options::OACK_MAX;
use ringboot::wire::{OptionName, OptionSet, Packet, decode};

use super::input::{Input, pairs};

/// With fewer bytes than this in all options, none can be left out for lack of room.
const ROOMY: usize = 256;

type Pair<'a> = (&'a [u8], &'a [u8]);

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(offer) = read_offer(&mut input) else {
        return;
    };
    let datagram = [b"\0\x01f\0octet\0", input.rest()].concat();
    let Ok(Packet::Rrq(request)) = decode(&datagram) else {
        panic!("a malformed option costs the request");
    };
    let asked = pairs(&request.options);
    let (terms, oack) = negotiate(&request.options, &offer);
    let granted = oack.as_deref().map_or_else(Vec::new, read_oack);
    in_order(&asked, &granted);
    each_kind_once(&granted);
    check_terms(&terms, &asked, &granted, &offer);
    if input.rest().len() < ROOMY {
        nothing_forgotten(&asked, &granted, &offer);
    }
}

fn read_offer(input: &mut Input<'_>) -> Option<Offer> {
    Some(Offer {
        max_blksize: input.number()?,
        max_windowsize: input.number()?,
        // Small sizes and those beyond 32 bits alike.
        size: SizeSaid::Ours(u64::from(input.number()?) << (input.byte()? % 49)),
        invitation: None,
        refused: OptionSet::default(),
        timeout: None,
    })
}

fn read_oack(packet: &[u8]) -> Vec<Pair<'_>> {
    assert!(packet.len() <= OACK_MAX);
    match decode(packet) {
        Ok(Packet::Oack(options)) => pairs(&options),
        other => panic!("not an OACK: {other:?}"),
    }
}

/// RFC 2347: only what was asked; and in the client's order and spelling, for clients that
/// compare. Each granted option is matched with the first one asked that it can answer.
fn in_order(asked: &[Pair<'_>], granted: &[Pair<'_>]) {
    let mut rest = asked.iter();
    for (name, value) in granted {
        assert!(
            rest.any(|(other, wish)| other == name && answers(name, wish, value)),
            "{granted:?} does not follow {asked:?}"
        );
    }
}

/// Whether `value` can be the answer to `wish`.
fn answers(name: &[u8], wish: &[u8], value: &[u8]) -> bool {
    let Some(option) = OptionName::parse(name) else {
        return false;
    };
    let (Some(wished), Some(given)) = (well_formed(option, wish), number(value)) else {
        return false;
    };
    match option {
        OptionName::Blksize | OptionName::Windowsize => given <= wished,
        OptionName::Blksize2 => given <= wished && given.is_power_of_two(),
        OptionName::Timeout | OptionName::Utimeout | OptionName::Rollover => wish == value,
        OptionName::Tsize => given > 0,
        OptionName::Msftwindow => given == 27_182,
        // Nobody is invited here.
        OptionName::Multicast => false,
    }
}

/// The number, if the option means something with it.
fn well_formed(option: OptionName, value: &[u8]) -> Option<u128> {
    let number = number(value).filter(|&number| number <= u128::from(u64::MAX))?;
    let valid = match option {
        OptionName::Blksize | OptionName::Blksize2 => number >= 8,
        OptionName::Timeout => (1..=255).contains(&number),
        OptionName::Utimeout => (10_000..=255_000_000).contains(&number),
        OptionName::Tsize => true,
        OptionName::Windowsize => number >= 1,
        OptionName::Rollover => number <= 1,
        OptionName::Msftwindow => number == 31_416,
        OptionName::Multicast => false,
    };
    valid.then_some(number)
}

fn number(text: &[u8]) -> Option<u128> {
    let digits = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

/// The option that this one varies, or itself.
fn kind(name: &[u8]) -> Option<OptionName> {
    Some(match OptionName::parse(name)? {
        OptionName::Blksize2 => OptionName::Blksize,
        OptionName::Utimeout => OptionName::Timeout,
        other => other,
    })
}

fn each_kind_once(granted: &[Pair<'_>]) {
    for (at, (name, _)) in granted.iter().enumerate() {
        assert!(
            granted[..at]
                .iter()
                .all(|(other, _)| kind(other) != kind(name))
        );
    }
}

/// What holds is what the OACK says, and RFC 1350's defaults where it says nothing.
fn check_terms(terms: &Terms, asked: &[Pair<'_>], granted: &[Pair<'_>], offer: &Offer) {
    let mut expected = Terms::default();
    for (name, value) in granted {
        let given = u64::try_from(number(value).unwrap()).unwrap();
        match OptionName::parse(name).unwrap() {
            OptionName::Blksize | OptionName::Blksize2 => {
                expected.blksize = u16::try_from(given).unwrap();
                assert!((8..=offer.max_blksize.clamp(8, MAX_BLKSIZE)).contains(&expected.blksize));
            }
            OptionName::Windowsize => {
                expected.windowsize = u16::try_from(given).unwrap();
                assert!((1..=offer.max_windowsize.max(1)).contains(&expected.windowsize));
            }
            OptionName::Timeout => expected.timeout = Some(Nanos::from_secs(given)),
            OptionName::Utimeout => expected.timeout = Some(Nanos::from_micros(given)),
            OptionName::Tsize => assert_eq!(SizeSaid::Ours(given), offer.size),
            OptionName::Rollover if given == 1 => expected.rollover = Rollover::ToOne,
            OptionName::Rollover => {}
            OptionName::Msftwindow => {
                expected.variable_window = true;
                assert!(offer.max_windowsize > 1);
            }
            OptionName::Multicast => panic!("nobody is invited here"),
        }
    }
    let size_asked = |(name, value): &Pair<'_>| {
        OptionName::parse(name) == Some(OptionName::Tsize)
            && well_formed(OptionName::Tsize, value).is_some()
    };
    expected.tsize_asked = asked.iter().any(size_asked);
    assert_eq!(*terms, expected);
}

/// Whatever is well-formed and fits is granted, the size of an empty file apart.
fn nothing_forgotten(asked: &[Pair<'_>], granted: &[Pair<'_>], offer: &Offer) {
    for (name, value) in asked {
        let Some(option) = OptionName::parse(name) else {
            continue;
        };
        let unsaid = option == OptionName::Tsize && offer.size == SizeSaid::Ours(0);
        let windows = option != OptionName::Msftwindow || offer.max_windowsize > 1;
        if well_formed(option, value).is_some() && !unsaid && windows {
            assert!(
                granted.iter().any(|(other, _)| kind(other) == kind(name)),
                "{} was forgotten",
                name.escape_ascii()
            );
        }
    }
}
