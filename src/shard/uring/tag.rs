//! What a completion is about, packed into the 64 bits that io_uring hands back.
//! It never carries a pointer: a wrong tag is ignored, not followed.

use crate::endpoint::SocketId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// The multishot receive of a socket.
    Receive(SocketId),
    /// The watch for room in a socket's send buffer.
    Room(SocketId),
    /// The send at this place among the turn's headers.
    Send(u32),
    /// The watch on the waker.
    Wake,
    Cancel,
    /// A send without a copy, by its number; it completes twice.
    ZeroCopy(u32),
}

impl Tag {
    pub(super) const fn pack(self) -> u64 {
        let (kind, value) = match self {
            Self::Receive(SocketId(id)) => (1, id as u64),
            Self::Room(SocketId(id)) => (3, id as u64),
            Self::Send(position) => (4, position as u64),
            Self::Wake => (5, 0),
            Self::Cancel => (6, 0),
            Self::ZeroCopy(flight) => (7, flight as u64),
        };
        kind << 32 | value
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes apart what `pack` put together"
    )]
    pub(super) const fn unpack(bits: u64) -> Option<Self> {
        let socket = SocketId(bits as u16);
        Some(match bits >> 32 {
            1 => Self::Receive(socket),
            3 => Self::Room(socket),
            4 => Self::Send(bits as u32),
            5 => Self::Wake,
            6 => Self::Cancel,
            7 => Self::ZeroCopy(bits as u32),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_kernel() {
        let socket = SocketId(513);
        for tag in [
            Tag::Receive(socket),
            Tag::Room(socket),
            Tag::Send(u32::MAX),
            Tag::Wake,
            Tag::Cancel,
            Tag::ZeroCopy(1023),
        ] {
            assert_eq!(Tag::unpack(tag.pack()), Some(tag));
        }
        assert_eq!(Tag::unpack(0), None);
    }
}
