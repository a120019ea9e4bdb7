//! The yardstick: a read server that keeps nothing about any client.
//! Never retransmits, never remembers, never opens a file after the start.

pub mod bufring;
pub mod image;
pub mod mmsg;
pub mod uring;

use std::io;
use std::net::UdpSocket;

use crate::socket;
use crate::wire::{self, Options};
use image::Image;

/// No more segments than the oldest kernel with UDP_SEGMENT takes in one train.
const TRAIN_SEGMENTS_MAX: usize = 64;
/// The largest UDP payload over IPv4.
const TRAIN_BYTES_MAX: usize = 65_507;

/// What one received packet leads to.
pub enum Answer<'a> {
    Nothing,
    Packet(&'a [u8]),
    /// Blocks `first..first + count`, `first` counted from 1.
    Blocks {
        first: usize,
        count: usize,
    },
}

/// Everything that the loops need and that never changes after the start.
pub struct Plan {
    pub image: Image,
    windowsize: usize,
    /// Blocks in one send: 1 without segmentation offload.
    pub train: usize,
    gso: bool,
    /// An OACK for each set of asked options, indexed by `mask`.
    oacks: Vec<Vec<u8>>,
    refusal: Vec<u8>,
}

impl Plan {
    pub fn new(image: Image, windowsize: usize, gso: bool) -> Plan {
        let stride = image.stride();
        let blksize = (stride - wire::HEADER) as u64;
        let train = if gso {
            (TRAIN_BYTES_MAX / stride)
                .clamp(1, TRAIN_SEGMENTS_MAX)
                .min(windowsize)
        } else {
            1
        };
        let oacks = (0..8)
            .map(|mask| {
                wire::oack(Options {
                    blksize: (mask & 1 != 0).then_some(blksize),
                    windowsize: (mask & 2 != 0).then_some(windowsize as u64),
                    tsize: (mask & 4 != 0).then_some(image.file_bytes()),
                    unknown: false,
                })
            })
            .collect();
        let refusal = wire::error(
            8,
            &format!("this yardstick serves blksize {blksize} windowsize {windowsize} only"),
        );
        Plan {
            image,
            windowsize,
            train,
            gso,
            oacks,
            refusal,
        }
    }

    /// With the option on the socket, a plain send of several frames is a train: no control message for each send.
    pub fn prepare(&self, socket: &UdpSocket) -> io::Result<()> {
        if self.gso && self.train > 1 {
            socket::set(
                socket,
                libc::SOL_UDP,
                socket::UDP_SEGMENT,
                self.image.stride() as libc::c_int,
            )?;
        }
        Ok(())
    }

    /// Most packets that one received packet can lead to.
    pub fn sends_max(&self) -> usize {
        self.windowsize.div_ceil(self.train)
    }

    /// The ACK itself says what comes next, so no table is asked.
    pub fn answer(&self, packet: &[u8]) -> Answer<'_> {
        match (wire::opcode(packet), wire::u16_at(packet, 2)) {
            (Some(wire::ACK), Some(block)) => self.window(usize::from(block) + 1),
            (Some(wire::RRQ), _) => self.open(packet),
            _ => Answer::Nothing,
        }
    }

    fn window(&self, first: usize) -> Answer<'_> {
        let left = (self.image.blocks() + 1).saturating_sub(first);
        match left.min(self.windowsize) {
            0 => Answer::Nothing,
            count => Answer::Blocks { first, count },
        }
    }

    fn open(&self, packet: &[u8]) -> Answer<'_> {
        let Some(asked) = wire::request_options(packet) else {
            return Answer::Packet(&self.refusal);
        };
        let blksize = (self.image.stride() - wire::HEADER) as u64;
        let window = self.windowsize as u64;
        // Without state there is one block size and one window for everybody; a smaller wish cannot be honoured.
        if asked.blksize.unwrap_or(512) < blksize || asked.windowsize.unwrap_or(1) < window {
            return Answer::Packet(&self.refusal);
        }
        let mask = usize::from(asked.blksize.is_some())
            | usize::from(asked.windowsize.is_some()) << 1
            | usize::from(asked.tsize.is_some()) << 2;
        if mask == 0 {
            self.window(1)
        } else {
            Answer::Packet(&self.oacks[mask])
        }
    }
}

/// Calls `send` with each contiguous buffer that the answer consists of.
pub fn each_buffer<'a>(plan: &'a Plan, answer: Answer<'a>, mut send: impl FnMut(&'a [u8])) {
    match answer {
        Answer::Nothing => {}
        Answer::Packet(bytes) => send(bytes),
        Answer::Blocks { first, count } => {
            let (mut at, end) = (first, first + count);
            while at < end {
                let part = plan.train.min(end - at);
                send(plan.image.frames(at, part));
                at += part;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(plan: &Plan, packet: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        each_buffer(plan, plan.answer(packet), |bytes| out.push(bytes.to_vec()));
        out
    }

    fn plan(bytes: usize, windowsize: usize, gso: bool) -> Plan {
        let content: Vec<u8> = (0..bytes).map(|i| i as u8).collect();
        Plan::new(Image::from_bytes(&content, 512).unwrap(), windowsize, gso)
    }

    #[test]
    fn an_ack_names_the_next_block() {
        let plan = plan(1024, 1, false);
        assert_eq!(
            sent(&plan, &wire::header(wire::ACK, 0))[0][..4],
            wire::header(wire::DATA, 1)
        );
        // A file that ends on a block's edge ends with an empty block.
        assert_eq!(
            sent(&plan, &wire::header(wire::ACK, 2)),
            [wire::header(wire::DATA, 3).to_vec()]
        );
        assert!(sent(&plan, &wire::header(wire::ACK, 3)).is_empty());
        assert!(sent(&plan, &wire::header(wire::ACK, 65535)).is_empty());
    }

    #[test]
    fn a_window_is_one_train_and_stops_at_the_end() {
        let plan = plan(512 * 5 + 1, 4, true);
        assert_eq!(sent(&plan, &wire::header(wire::ACK, 0))[0].len(), 4 * 516);
        assert_eq!(sent(&plan, &wire::header(wire::ACK, 4))[0].len(), 516 + 5);
    }

    #[test]
    fn the_oack_says_what_was_asked() {
        let plan = plan(10, 4, false);
        let asked = Options {
            windowsize: Some(8),
            tsize: Some(0),
            ..Options::default()
        };
        let got = sent(&plan, &wire::request("x", asked));
        let want = Options {
            windowsize: Some(4),
            tsize: Some(10),
            ..Options::default()
        };
        assert_eq!(wire::oack_options(&got[0]), want);
        let refused = sent(&plan, &wire::request("x", Options::default()));
        assert_eq!(wire::opcode(&refused[0]), Some(wire::ERROR));
    }
}
