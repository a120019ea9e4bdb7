//! Any bytes as a datagram, as an option list, as a number and as netascii.
//! Packets that we can write are written again and read again; the rest meets naive references.

use ringboot::wire::netascii::{self, Decoder};
use ringboot::wire::options::{OACK_MAX, parse_decimal};
use ringboot::wire::packet::{ErrorPacket, ack, data_header, encode_request};
use ringboot::wire::{DecodeError, Mode, OackBuilder, Options, Packet, Request, decode};

use super::input::pairs;

pub fn check(bytes: &[u8]) {
    datagram(bytes);
    number(bytes);
    text(bytes);
}

fn datagram(bytes: &[u8]) {
    match decode(bytes) {
        Ok(Packet::Rrq(request)) => check_request(bytes, &request, false),
        Ok(Packet::Wrq(request)) => check_request(bytes, &request, true),
        Ok(Packet::Data { block, payload }) => {
            assert_eq!([&data_header(block)[..], payload].concat(), bytes);
            inside(bytes, payload);
        }
        Ok(Packet::Ack { block }) => assert_eq!(bytes[..4], ack(block)),
        Ok(Packet::Error { code, text }) => {
            inside(bytes, text);
            assert!(!text.contains(&0));
            let readable = str::from_utf8(text).unwrap_or("");
            let written = ErrorPacket::new(code, readable);
            let end = (written.as_bytes().len() - 1).min(4 + readable.len());
            assert_eq!(written.as_bytes()[..end], bytes[..end]);
            assert_eq!(written.as_bytes().last(), Some(&0));
        }
        Ok(Packet::Oack(options)) => check_options(bytes, &options),
        Err(error) => check_error(bytes, error),
    }
}

fn check_request(bytes: &[u8], request: &Request<'_>, write: bool) {
    inside(bytes, request.filename);
    assert!(!request.filename.contains(&0));
    check_options(bytes, &request.options);

    let options: Vec<(&str, &str)> = pairs(&request.options)
        .into_iter()
        .filter_map(|(name, value)| Some((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?)))
        .collect();
    let mode = match request.mode {
        Mode::Octet => "octet",
        Mode::Netascii => "netascii",
        Mode::Mail => "mail",
        Mode::Unknown => "carrier pigeon",
    };
    let mut written = Vec::new();
    encode_request(
        &mut written,
        write,
        request.filename,
        mode,
        options.iter().copied(),
    );
    let again = match decode(&written) {
        Ok(Packet::Rrq(again)) if !write => again,
        Ok(Packet::Wrq(again)) if write => again,
        other => panic!("a request came back as {other:?}"),
    };
    assert_eq!(
        (again.filename, again.mode),
        (request.filename, request.mode)
    );
    let expected: Vec<_> = options
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    assert_eq!(pairs(&again.options), expected);
}

/// The pairs lie in the input, one behind the other, and an OACK of them says the same.
fn check_options(bytes: &[u8], options: &Options<'_>) {
    let mut oack = OackBuilder::default();
    let mut fitted = Vec::new();
    let mut end = bytes.as_ptr();
    for (name, value) in pairs(options) {
        for text in [name, value] {
            inside(bytes, text);
            assert!(!text.contains(&0));
            assert!(text.as_ptr() >= end);
            end = text.as_ptr_range().end;
        }
        if oack.push(name, value) {
            fitted.push((name, value));
        }
    }
    let Some(packet) = oack.finish() else {
        assert!(fitted.is_empty());
        return;
    };
    assert!(packet.len() <= OACK_MAX);
    match decode(&packet) {
        Ok(Packet::Oack(again)) => assert_eq!(pairs(&again), fitted),
        other => panic!("an OACK came back as {other:?}"),
    }
}

fn check_error(bytes: &[u8], error: DecodeError) {
    let opcode = bytes.first_chunk::<2>().copied().map(u16::from_be_bytes);
    let body = bytes.get(2..).unwrap_or_default();
    let first_nul = body.iter().position(|&byte| byte == 0);
    match error {
        DecodeError::TooShort => {
            assert!(opcode.is_none() || matches!(opcode, Some(3..=5)) && body.len() < 2);
        }
        DecodeError::UnknownOpcode(other) => {
            assert!(opcode == Some(other) && !(1..=6).contains(&other));
        }
        DecodeError::UnterminatedName => assert_eq!(first_nul, None),
        DecodeError::MissingMode => assert_eq!(first_nul, Some(body.len() - 1)),
    }
}

fn inside(bytes: &[u8], view: &[u8]) {
    let (whole, part) = (bytes.as_ptr_range(), view.as_ptr_range());
    assert!(view.is_empty() || whole.start <= part.start && part.end <= whole.end);
}

fn number(bytes: &[u8]) {
    let digits = bytes.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(bytes).ok().filter(|_| digits);
    assert_eq!(
        parse_decimal(bytes),
        text.and_then(|text| text.parse().ok())
    );
}

/// The bytes as a local text that must survive, and as a wire text cut in two somewhere.
fn text(bytes: &[u8]) {
    let mut wire = Vec::new();
    netascii::encode(bytes, &mut wire);
    assert_eq!(wire, naive_encode(bytes));
    let border = bytes.first().map_or(0, |&byte| usize::from(byte));
    assert_eq!(decode_in_two(&wire, border), bytes);
    assert_eq!(decode_in_two(bytes, border), naive_decode(bytes));
}

fn decode_in_two(wire: &[u8], border: usize) -> Vec<u8> {
    let (left, right) = wire.split_at(border.min(wire.len()));
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.decode(left, &mut out);
    decoder.decode(right, &mut out);
    decoder.finish(&mut out);
    out
}

fn naive_encode(local: &[u8]) -> Vec<u8> {
    let pair = |&byte: &u8| match byte {
        b'\n' => b"\r\n".to_vec(),
        b'\r' => b"\r\0".to_vec(),
        other => vec![other],
    };
    local.iter().flat_map(pair).collect()
}

/// With the whole text at hand there is nothing to remember.
fn naive_decode(wire: &[u8]) -> Vec<u8> {
    let mut local = Vec::new();
    let mut at = 0;
    while let Some(&byte) = wire.get(at) {
        let (meant, len) = match (byte, wire.get(at + 1)) {
            (b'\r', Some(b'\n')) => (b'\n', 2),
            (b'\r', Some(0)) => (b'\r', 2),
            (other, _) => (other, 1),
        };
        local.push(meant);
        at += len;
    }
    local
}
