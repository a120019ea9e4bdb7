//! TFTP packets as the tests see them. Written apart from the server's own codec, so that one
//! mistake cannot hide in both.

/// A packet that a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Data { block: u16, payload: Vec<u8> },
    Ack(u16),
    Error { code: u16, text: String },
    Oack(Vec<(String, String)>),
}

impl Packet {
    /// Reads what a server sent. Panics on anything that a client would call broken.
    pub fn read(bytes: &[u8]) -> Self {
        assert!(
            bytes.len() >= 4,
            "a packet of {} bytes: {bytes:02x?}",
            bytes.len()
        );
        let number = u16::from_be_bytes([bytes[2], bytes[3]]);
        match u16::from_be_bytes([bytes[0], bytes[1]]) {
            3 => Self::Data {
                block: number,
                payload: bytes[4..].to_vec(),
            },
            4 => {
                assert_eq!(bytes.len(), 4, "an ACK has four bytes: {bytes:02x?}");
                Self::Ack(number)
            }
            5 => {
                let (last, text) = bytes[4..].split_last().expect("an ERROR ends in a NUL");
                assert_eq!(*last, 0, "an ERROR ends in a NUL: {bytes:02x?}");
                assert!(!text.contains(&0), "one NUL in an ERROR: {bytes:02x?}");
                let text = String::from_utf8(text.to_vec()).expect("a readable text");
                Self::Error { code: number, text }
            }
            6 => Self::Oack(read_oack(bytes)),
            opcode => panic!("opcode {opcode} from the server: {bytes:02x?}"),
        }
    }

    pub fn block(&self) -> Option<u16> {
        match self {
            Self::Data { block, .. } => Some(*block),
            _ => None,
        }
    }
}

/// RFC 2347: name NUL value NUL, nothing behind the last pair, at most 512 bytes.
fn read_oack(bytes: &[u8]) -> Vec<(String, String)> {
    assert!(bytes.len() <= 512, "an OACK of {} bytes", bytes.len());
    assert_eq!(bytes.last(), Some(&0), "an OACK ends in a NUL");
    let body = &bytes[2..bytes.len() - 1];
    let texts: Vec<String> = body
        .split(|byte| *byte == 0)
        .map(|text| String::from_utf8(text.to_vec()).expect("a readable option"))
        .collect();
    assert_eq!(texts.len() % 2, 0, "an OACK has pairs: {texts:?}");
    texts
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// A read request with its options.
pub fn rrq(name: &str, mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    request(1, name.as_bytes(), mode, options)
}

/// A request of any opcode, with any bytes as the name.
pub fn request(opcode: u16, name: &[u8], mode: &str, options: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = opcode.to_be_bytes().to_vec();
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend_from_slice(mode.as_bytes());
    bytes.push(0);
    for (name, value) in options {
        for text in [name, value] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

pub fn ack(block: u16) -> Vec<u8> {
    let mut bytes = vec![0, 4];
    bytes.extend_from_slice(&block.to_be_bytes());
    bytes
}

pub fn error(code: u16, text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 5];
    bytes.extend_from_slice(&code.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    bytes
}
