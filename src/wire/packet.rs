//! The six packets of TFTP as views of the received bytes, and the small packets that we write.
//! It never copies a payload: DATA is sent as a header beside the file's bytes.

use core::fmt;

use super::error_code::ErrorCode;
use super::options::Options;

/// Bytes before the payload of a DATA packet: opcode and block number (RFC 1350, figure 5-2).
pub const HEADER_LEN: usize = 4;

const RRQ: u16 = 1;
const WRQ: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// One received packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    Rrq(Request<'a>),
    Wrq(Request<'a>),
    Data {
        block: u16,
        payload: &'a [u8],
    },
    /// Bytes after the block number are for [`next_window`] only: Windows' boot manager sends a fifth
    /// one.
    Ack {
        block: u16,
    },
    /// The text is what arrived before a NUL or the end. curl sends none, nor the NUL.
    Error {
        code: ErrorCode,
        text: &'a [u8],
    },
    Oack(Options<'a>),
}

/// A read or write request (RFC 1350, figure 5-1; RFC 2347 for the options).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The name as it came, without its NUL.
    pub filename: &'a [u8],
    pub mode: Mode,
    pub options: Options<'a>,
}

/// The transfer mode, in any case (RFC 1350, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Octet,
    Netascii,
    /// Obsolete; answered with ERROR 4.
    Mail,
    /// Anything else; answered with ERROR 4.
    Unknown,
}

/// Why bytes are not a TFTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// Fewer bytes than the packet's fixed part.
    TooShort,
    /// An opcode that no RFC defines.
    UnknownOpcode(u16),
    /// A request whose filename does not end.
    UnterminatedName,
    /// A request without a transfer mode.
    MissingMode,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort => f.write_str("packet too short"),
            Self::UnknownOpcode(opcode) => write!(f, "unknown opcode {opcode}"),
            Self::UnterminatedName => f.write_str("file name without its NUL"),
            Self::MissingMode => f.write_str("request without a transfer mode"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Reads one datagram.
///
/// # Errors
/// When the bytes cannot be a TFTP packet. A malformed option is not such a case: the option is
/// left out, so that the request still gets its answer.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, DecodeError> {
    let (opcode, body) = split_u16(bytes)?;
    match opcode {
        RRQ => decode_request(body).map(Packet::Rrq),
        WRQ => decode_request(body).map(Packet::Wrq),
        DATA => split_u16(body).map(|(block, payload)| Packet::Data { block, payload }),
        ACK => split_u16(body).map(|(block, _)| Packet::Ack { block }),
        ERROR => split_u16(body).map(|(code, rest)| Packet::Error {
            code: ErrorCode(code),
            text: split_nul(rest).map_or(rest, |(text, _)| text),
        }),
        OACK => Ok(Packet::Oack(Options::new(body))),
        other => Err(DecodeError::UnknownOpcode(other)),
    }
}

/// The fifth byte of an ACK, where there is one: with `msftwindow`, the blocks of the next window.
#[must_use]
pub fn next_window(ack: &[u8]) -> Option<u8> {
    ack.get(HEADER_LEN).copied()
}

fn decode_request(body: &[u8]) -> Result<Request<'_>, DecodeError> {
    let (filename, rest) = split_nul(body).ok_or(DecodeError::UnterminatedName)?;
    if rest.is_empty() {
        return Err(DecodeError::MissingMode);
    }
    // Some ROMs cut the packet one character short, so the mode may lack its NUL.
    let (mode, options) = split_nul(rest).unwrap_or((rest, &[]));
    Ok(Request {
        filename,
        mode: decode_mode(mode),
        options: Options::new(options),
    })
}

fn decode_mode(text: &[u8]) -> Mode {
    if text.eq_ignore_ascii_case(b"octet") {
        Mode::Octet
    } else if text.eq_ignore_ascii_case(b"netascii") {
        Mode::Netascii
    } else if text.eq_ignore_ascii_case(b"mail") {
        Mode::Mail
    } else {
        Mode::Unknown
    }
}

#[inline]
fn split_u16(bytes: &[u8]) -> Result<(u16, &[u8]), DecodeError> {
    match bytes.split_first_chunk::<2>() {
        Some((head, rest)) => Ok((u16::from_be_bytes(*head), rest)),
        None => Err(DecodeError::TooShort),
    }
}

/// Splits at the first NUL, which belongs to neither side.
pub(super) fn split_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

/// The header of DATA `block`.
#[must_use]
pub const fn data_header(block: u16) -> [u8; HEADER_LEN] {
    small_packet(DATA, block)
}

/// A whole ACK of `block`.
#[must_use]
pub const fn ack(block: u16) -> [u8; HEADER_LEN] {
    small_packet(ACK, block)
}

const fn small_packet(opcode: u16, number: u16) -> [u8; HEADER_LEN] {
    let [o0, o1] = opcode.to_be_bytes();
    let [n0, n1] = number.to_be_bytes();
    [o0, o1, n0, n1]
}

/// An ERROR packet in a fixed buffer, so that refusing costs no memory.
#[derive(Debug, Clone, Copy)]
pub struct ErrorPacket {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl ErrorPacket {
    const CAPACITY: usize = 128;

    /// Builds the packet; a text that does not fit is cut.
    #[must_use]
    pub fn new(code: ErrorCode, text: &str) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        let header = small_packet(ERROR, code.0);
        let room = Self::CAPACITY - HEADER_LEN - 1;
        let source = header.iter().chain(text.as_bytes().iter().take(room));
        let mut len = 0;
        for (target, byte) in bytes.iter_mut().zip(source) {
            *target = *byte;
            len += 1;
        }
        // The buffer is zeroed, so the NUL stands already behind the text.
        Self {
            bytes,
            len: len + 1,
        }
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// Writes a read or write request into `out`, for our own clients.
pub fn encode_request<'o>(
    out: &mut alloc::vec::Vec<u8>,
    write: bool,
    filename: &[u8],
    mode: &str,
    options: impl IntoIterator<Item = (&'o str, &'o str)>,
) {
    let opcode = if write { WRQ } else { RRQ };
    out.extend_from_slice(&opcode.to_be_bytes());
    out.extend_from_slice(filename);
    out.push(0);
    out.extend_from_slice(mode.as_bytes());
    out.push(0);
    for (name, value) in options {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(value.as_bytes());
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: &[u8]) -> Request<'_> {
        match decode(bytes) {
            Ok(Packet::Rrq(request)) => request,
            other => panic!("not a read request: {other:?}"),
        }
    }

    #[test]
    fn reads_a_request_in_any_case() {
        let request = request(b"\0\x01pxelinux.0\0OcTeT\0BLKSIZE\x001432\0");
        assert_eq!(request.filename, b"pxelinux.0");
        assert_eq!(request.mode, Mode::Octet);
        assert_eq!(
            request.options.iter().collect::<alloc::vec::Vec<_>>(),
            [(&b"BLKSIZE"[..], &b"1432"[..])]
        );
    }

    #[test]
    fn tolerates_what_old_roms_append_or_cut() {
        assert_eq!(request(b"\0\x01a\0octet\0\xff\xff").mode, Mode::Octet);
        assert_eq!(request(b"\0\x01a\0octet").mode, Mode::Octet);
        let junk = request(b"\0\x01a\0octet\0blksize\x001456\0\xff\xff");
        assert_eq!(junk.options.iter().count(), 1);
    }

    #[test]
    fn refuses_what_is_no_packet() {
        assert_eq!(decode(b""), Err(DecodeError::TooShort));
        assert_eq!(decode(b"\0"), Err(DecodeError::TooShort));
        assert_eq!(decode(b"\0\x04\0"), Err(DecodeError::TooShort));
        assert_eq!(decode(b"\0\x07ab"), Err(DecodeError::UnknownOpcode(7)));
        assert_eq!(decode(b"\0\x01abc"), Err(DecodeError::UnterminatedName));
        assert_eq!(decode(b"\0\x01abc\0"), Err(DecodeError::MissingMode));
    }

    #[test]
    fn reads_the_bare_error_of_curl_and_the_long_ack_of_windows() {
        let bare = Packet::Error {
            code: ErrorCode(7),
            text: b"",
        };
        assert_eq!(decode(b"\0\x05\0\x07"), Ok(bare));
        assert_eq!(
            decode(b"\0\x04\x01\x02\x08"),
            Ok(Packet::Ack { block: 0x102 })
        );
    }

    #[test]
    fn an_error_packet_is_cut_to_its_buffer_and_ends_in_nul() {
        let long = "x".repeat(500);
        let packet = ErrorPacket::new(ErrorCode::NOT_FOUND, &long);
        assert_eq!(packet.as_bytes().len(), 128);
        assert_eq!(packet.as_bytes().last(), Some(&0));
        assert_eq!(
            ErrorPacket::new(ErrorCode::NOT_FOUND, "no").as_bytes(),
            b"\0\x05\0\x01no\0"
        );
    }
}
