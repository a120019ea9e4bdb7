//! Which packet of its transfer a datagram is, so that chance hangs on that and not on the time.
//! It never decides.

use ringboot::wire::{Packet, decode};

/// So far may the next new block be ahead of the last one. A server that jumps further is not
/// followed: its blocks count as repeats.
const AHEAD: u16 = 1024;

/// A packet's position in one direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The request or the OACK is 0; from 1 on they are DATA or ACKs in order, without wrap. A
    /// transfer has each of them, however often timers make one side repeat itself.
    New(u32),
    /// Whatever else comes, counted by itself: repeats, ERRORs, packets of the transfer before.
    Again(u32),
}

/// One direction of a transfer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequence {
    next: u32,
    again: u32,
}

impl Sequence {
    /// The position of a packet that belongs to the present transfer.
    pub fn position(&mut self, bytes: &[u8]) -> Position {
        match self.number(bytes) {
            Some(number) => {
                self.next = number.wrapping_add(1);
                Position::New(number)
            }
            None => self.again(),
        }
    }

    /// The position of a packet that does not.
    pub const fn again(&mut self) -> Position {
        let position = Position::Again(self.again);
        self.again = self.again.wrapping_add(1);
        position
    }

    fn number(&self, bytes: &[u8]) -> Option<u32> {
        match decode(bytes) {
            Ok(Packet::Rrq(_) | Packet::Wrq(_) | Packet::Oack(_)) => (self.next == 0).then_some(0),
            // A transfer does not begin in its middle: that is one that had this port before.
            Ok(Packet::Data { block, .. }) if self.next == 0 => (block == 1).then_some(1),
            Ok(Packet::Data { block, .. }) => self.ahead(block, 0),
            // Behind the request ACK 0 is the first.
            Ok(Packet::Ack { block }) => self.ahead(block, 1),
            _ => None,
        }
    }

    /// The number of a block without wrap, if it is a new one. Blocks count from `before` on.
    fn ahead(&self, block: u16, before: u32) -> Option<u32> {
        let expected = self.next.wrapping_sub(before) as u16;
        let distance = block.wrapping_sub(expected);
        (distance < AHEAD).then(|| self.next.wrapping_add(u32::from(distance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"\0\x01f\0octet\0";
    const OACK: &[u8] = b"\0\x06tsize\09\0";

    fn packet(opcode: u8, block: u16) -> [u8; 4] {
        let [high, low] = block.to_be_bytes();
        [0, opcode, high, low]
    }

    fn positions<'a>(packets: impl IntoIterator<Item = &'a [u8]>) -> Vec<Position> {
        let mut sequence = Sequence::default();
        packets
            .into_iter()
            .map(|bytes| sequence.position(bytes))
            .collect()
    }

    #[test]
    fn what_is_said_again_moves_nothing() {
        use Position::{Again, New};
        let out = [0, 0, 1, 2, 1, 2, 3].map(|block| packet(4, block));
        let out = [REQUEST, REQUEST]
            .into_iter()
            .chain(out.iter().map(|p| &p[..]));
        let want = [
            New(0),
            Again(0),
            New(1),
            Again(1),
            New(2),
            New(3),
            Again(2),
            Again(3),
            New(4),
        ];
        assert_eq!(positions(out), want);
        let back = [1, 1, 2, 4, 3].map(|block| packet(3, block));
        let back = [OACK, OACK].into_iter().chain(back.iter().map(|p| &p[..]));
        let want = [New(0), Again(0), New(1), Again(1), New(2), New(4), Again(2)];
        assert_eq!(positions(back), want);
    }

    #[test]
    fn numbers_go_on_behind_the_largest_block() {
        let mut sequence = Sequence::default();
        for number in 1..200_000_u32 {
            let position = sequence.position(&packet(3, number as u16));
            assert_eq!(position, Position::New(number));
        }
    }

    #[test]
    fn errors_and_jumps_count_as_repeats() {
        use Position::{Again, New};
        let error: &[u8] = b"\0\x05\0\0bye\0";
        let (stale, far) = (packet(3, 700), packet(3, 30_000));
        let want = [Again(0), Again(1), New(0), Again(2), New(700)];
        assert_eq!(positions([error, &stale, OACK, &far, &stale]), want);
    }
}
