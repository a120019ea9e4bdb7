//! What an endpoint asks of its surroundings: sends, opened files, a record of what ended.
//! It never says how: a shard does it with a kernel, the simulator with a queue.

use super::report::Report;
use super::route::{Route, Ticket};
use crate::transfer::{BlockRange, Nanos, Rollover};
use crate::wire::Mode;
use crate::wire::options::Options;

/// DATA blocks to send to one peer, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Train {
    pub ticket: Ticket,
    pub blocks: BlockRange,
    /// Bytes in every block but the file's last one.
    pub blksize: u16,
    /// The client takes one block at a time, so its transfer lasts as long as each of them waits.
    pub lockstep: bool,
    pub rollover: Rollover,
}

/// A file to be opened for a new transfer, or to be written; the answer comes by `Endpoint::opened` or
/// `Endpoint::created`.
#[derive(Debug, Clone, Copy)]
pub struct OpenRequest<'a> {
    pub ticket: Ticket,
    pub route: &'a Route,
    /// The client's name as it came.
    pub name: &'a [u8],
    /// Octet or netascii.
    pub mode: Mode,
    pub options: Options<'a>,
}

/// The world outside the pure core.
pub trait Effects {
    /// A file's content, opened and shared between transfers.
    type Image;

    /// Sends DATA blocks of `image`.
    fn send_blocks(&mut self, route: &Route, image: &Self::Image, train: Train);

    /// The first blocks of a transfer leave, so long after its request came. Once for each transfer.
    fn begins(&mut self, image: &Self::Image, blksize: u16, waited: Nanos) {
        let _ = (image, blksize, waited);
    }

    /// A transfer begins to wait for its file: see [`resident`](Self::resident).
    fn parked(&mut self) {}

    /// Sends a packet that is no DATA: OACK or ERROR.
    fn send_packet(&mut self, route: &Route, packet: &[u8]);

    /// Whether these blocks are in memory, so that sending them cannot wait for a disk. Where they
    /// are not, they are fetched elsewhere, and `Endpoint::loaded` follows. Where all content is in
    /// memory there is nothing to do.
    #[must_use]
    fn resident(&mut self, now: Nanos, image: &Self::Image, train: Train) -> bool {
        let _ = (now, image, train);
        true
    }

    /// Opens a file away from this thread. Says whether there was room to queue the request.
    #[must_use]
    fn open(&mut self, request: OpenRequest<'_>) -> bool;

    /// Whether the file is still the one that was opened. Asked before its last block goes out.
    fn unchanged(&mut self, image: &Self::Image) -> bool;

    /// Whether two images are the same content, so that one stream can serve both. Where no streams
    /// are shared, nobody asks.
    fn same(&self, one: &Self::Image, other: &Self::Image) -> bool {
        let _ = (one, other);
        false
    }

    /// Prepares to write a file, away from this thread; `size` is the client's tsize, where its bytes
    /// can be compared with it. Says whether there was room to queue the request. Never asked where the
    /// policy forbids uploads, and so are the four that follow.
    #[must_use]
    fn create(&mut self, request: OpenRequest<'_>, size: Option<u64>) -> bool {
        let _ = (request, size);
        false
    }

    /// Keeps room for `bytes` more of this upload: what the next ACK invites. Where there is none,
    /// that ACK has to wait, and `Endpoint::room` follows.
    #[must_use]
    fn reserve(&mut self, ticket: Ticket, bytes: usize) -> bool {
        let _ = (ticket, bytes);
        true
    }

    /// Takes the next bytes of an upload, for which there is room.
    fn store(&mut self, ticket: Ticket, payload: &[u8]) {
        let _ = (ticket, payload);
    }

    /// All bytes of an upload are stored: the file is to become durable and get its name.
    /// `Endpoint::stored` follows.
    fn commit(&mut self, ticket: Ticket) {
        let _ = ticket;
    }

    /// An upload ended before it was stored: nothing of it may remain.
    fn discard(&mut self, ticket: Ticket) {
        let _ = ticket;
    }

    /// A transfer or a refused request ended. The image is handed back: sends queued in this turn
    /// may still point into it, so whoever queued them must hold on to it.
    fn finished(&mut self, report: &Report<'_>, image: Option<Self::Image>);
}
