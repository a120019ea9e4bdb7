//! Well-formed requests out of a few bytes, so that most inputs get beyond the decoder.
//! It never makes a malformed one: raw datagrams are an operation of their own.

use ringboot::wire::packet::encode_request;

use super::super::input::Input;

/// A byte for write, mode and file, a byte for the options, then their values.
pub fn build(input: &mut Input<'_>) -> Option<Vec<u8>> {
    let (kind, options) = (input.byte()?, input.byte()?);
    let mode = match kind >> 5 {
        6 => "mail",
        5 => "NetASCII",
        _ => "octet",
    };
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for (bit, name) in [
        "blksize",
        "tsize",
        "windowsize",
        "timeout",
        "utimeout",
        "rollover",
        "blksize2",
    ]
    .into_iter()
    .enumerate()
    {
        if options & (1 << bit) != 0 {
            pairs.push((name, value(name, input)?));
        }
    }
    let write = kind >> 5 == 7;
    let name = [b'a' + (kind & 15)];
    let mut bytes = Vec::new();
    let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
    encode_request(&mut bytes, write, &name, mode, pairs);
    Some(bytes)
}

fn value(name: &str, input: &mut Input<'_>) -> Option<String> {
    Some(match name {
        "tsize" => "0".to_owned(),
        "timeout" => input.byte()?.to_string(),
        "rollover" => (input.byte()? % 3).to_string(),
        "utimeout" => (u32::from(input.number()?) * 5_000).to_string(),
        _ => input.number()?.to_string(),
    })
}

/// The size of the file that a request's name stands for.
pub const fn size(name: &[u8]) -> u64 {
    match name.first() {
        Some(b'a') => 0,
        Some(b'b') => 1,
        Some(b'c') => 511,
        Some(b'd') => 512,
        Some(b'e') => 513,
        Some(b'f') => 5_000,
        Some(b'g') => 100_000,
        // Block numbers wrap with small blocks, and with 512 bytes.
        Some(b'h') => 8 * 65_535,
        Some(b'i') => 8 * 70_000,
        Some(b'j') => 512 * 65_535,
        Some(b'k') => 1 << 32,
        Some(b'l') => 1 << 48,
        Some(b'm') => u64::MAX,
        _ => 1_630,
    }
}
