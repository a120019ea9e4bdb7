//! The few packets of TFTP that a read needs, as bytes.
//! Never touches a socket and never panics on hostile bytes.

pub const RRQ: u16 = 1;
pub const DATA: u16 = 3;
pub const ACK: u16 = 4;
pub const ERROR: u16 = 5;
pub const OACK: u16 = 6;

/// Opcode and block number: what stands before the content in DATA and makes up all of ACK.
pub const HEADER: usize = 4;

/// The options of a request or of an OACK. `None` means that the option was not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub blksize: Option<u64>,
    pub windowsize: Option<u64>,
    pub tsize: Option<u64>,
    /// An option that this crate does not know.
    pub unknown: bool,
}

pub fn u16_at(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]))
}

pub fn opcode(packet: &[u8]) -> Option<u16> {
    u16_at(packet, 0)
}

pub fn header(opcode: u16, block: u16) -> [u8; HEADER] {
    let ([a, b], [c, d]) = (opcode.to_be_bytes(), block.to_be_bytes());
    [a, b, c, d]
}

pub fn error(code: u16, text: &str) -> Vec<u8> {
    let mut out = header(ERROR, code).to_vec();
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    out
}

/// The options of a request: whatever follows opcode, name and mode.
pub fn request_options(packet: &[u8]) -> Option<Options> {
    let mut fields = packet.get(2..)?.split(|&b| b == 0);
    let (_name, _mode) = (fields.next()?, fields.next()?);
    Some(pairs(fields))
}

/// The options of an OACK: whatever follows the opcode.
pub fn oack_options(packet: &[u8]) -> Options {
    pairs(packet.get(2..).unwrap_or_default().split(|&b| b == 0))
}

fn pairs<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Options {
    let mut out = Options::default();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let Some(value) = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()) else {
            out.unknown = true;
            continue;
        };
        let slot = match name {
            n if n.eq_ignore_ascii_case(b"blksize") => &mut out.blksize,
            n if n.eq_ignore_ascii_case(b"windowsize") => &mut out.windowsize,
            n if n.eq_ignore_ascii_case(b"tsize") => &mut out.tsize,
            _ => {
                out.unknown = true;
                continue;
            }
        };
        *slot = Some(value);
    }
    out
}

/// Appends the given options as name and value, each closed by a zero byte.
pub fn put_options(out: &mut Vec<u8>, options: Options) {
    let named = [
        ("tsize", options.tsize),
        ("blksize", options.blksize),
        ("windowsize", options.windowsize),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            out.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
    }
}

pub fn request(name: &str, options: Options) -> Vec<u8> {
    let mut out = RRQ.to_be_bytes().to_vec();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\0octet\0");
    put_options(&mut out, options);
    out
}

pub fn oack(options: Options) -> Vec<u8> {
    let mut out = OACK.to_be_bytes().to_vec();
    put_options(&mut out, options);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_the_round_trip() {
        let asked = Options {
            blksize: Some(1468),
            windowsize: Some(16),
            tsize: Some(0),
            unknown: false,
        };
        assert_eq!(request_options(&request("vmlinuz", asked)), Some(asked));
        assert_eq!(oack_options(&oack(asked)), asked);
    }

    #[test]
    fn odd_bytes_are_not_an_accident() {
        assert_eq!(opcode(&[0]), None);
        assert_eq!(request_options(&[0, 1]), None);
        assert_eq!(oack_options(&[0, 6, b'x']), Options::default());
        assert!(oack_options(b"\0\x06multicast\0,,1\0").unknown);
        assert!(oack_options(b"\0\x06blksize\0big\0").unknown);
    }
}
