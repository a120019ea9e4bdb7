//! The sends of one turn, rendered for the kernel: headers and file slices as iovecs.
//! It never reads a file's bytes and never makes a system call.

use alloc::sync::Arc;
use core::num::NonZeroU32;
use core::ops::Range;

use super::control::Control;
use super::render::{Rendered, Sends};
use super::segmentation::Segmentation;
use crate::endpoint::{Route, Ticket, Train};
use crate::files::Image;
use crate::transfer::{BlockRange, last_block};
use crate::wire::HEADER_LEN;
use crate::wire::packet::data_header;

/// Sends collected during a turn. It keeps its memory and holds on to the images it points into
/// until it is cleared.
///
/// Filled first, then [sealed](Outbox::seal) once, which turns offsets into addresses.
#[derive(Default)]
pub struct Outbox {
    messages: Vec<Message>,
    /// As each message's [`Layout`] says, offsets into `arena` until the outbox is sealed.
    iovecs: Vec<libc::iovec>,
    /// Bytes of packets and headers of blocks.
    arena: Vec<u8>,
    images: Vec<Arc<Image>>,
    /// Control messages of the sends that need some. Most need none, and a message without them is two cache
    /// lines instead of more than three.
    controls: Vec<Control>,
    /// Datagrams of all trains that are framed.
    framed: usize,
    /// The first message that goes out behind the others, whatever its socket.
    windows_from: Option<usize>,
    rendered: Rendered,
}

/// One packet, or one train's part that fits one GSO send.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) route: Route,
    /// Their place counted from one, where there are control messages.
    control: Option<NonZeroU32>,
    /// The transfer and its first block in this message; `None` for OACK and ERROR.
    pub(super) owner: Option<(Ticket, u64)>,
    pub(super) layout: Layout,
    /// Datagrams in this message.
    pub(super) datagrams: u32,
    /// Bytes in each of them but the last; 0 when there is only one.
    pub(super) segment: u16,
    /// The first of its entries.
    iovecs: usize,
    /// Its place among the images held; of no meaning for a packet.
    image: u32,
}

/// A turn has as many of them as there are ACKs in it.
const _: () = assert!(size_of::<Message>() <= 128, "two cache lines");

/// How the bytes of a message lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One entry, an offset into the arena.
    Packet,
    /// Two entries for each datagram: an offset into the arena (the header) and an address in the
    /// image (the block).
    Gathered,
    /// One entry, an address in the image's frames: all datagrams one behind the other.
    Framed,
}

/// Entries of a block that is gathered: its header and its content.
pub(super) const IOVECS_PER_BLOCK: usize = 2;

impl Message {
    /// Its entries among all.
    pub(super) const fn iovecs(&self) -> Range<usize> {
        let count = match self.layout {
            Layout::Packet | Layout::Framed => 1,
            Layout::Gathered => IOVECS_PER_BLOCK * self.datagrams as usize,
        };
        self.iovecs..self.iovecs + count
    }

    /// Its control messages among all.
    pub(super) fn control<'a>(&self, controls: &'a [Control]) -> Option<&'a Control> {
        controls.get(self.control?.get() as usize - 1)
    }

    /// The blocks of datagrams `first..first + count` of this message.
    pub(super) fn blocks(&self, first: u32, count: u32) -> Option<(Ticket, BlockRange)> {
        let (ticket, block) = self.owner?;
        let first = block + u64::from(first);
        Some((ticket, BlockRange { first, count }))
    }
}

impl Outbox {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Queues a packet that is no DATA; its bytes are copied.
    pub fn push_packet(&mut self, route: &Route, bytes: &[u8]) {
        let start = self.iovecs.len();
        self.push_bytes(bytes);
        self.push_message(route, Layout::Packet, None, 1, 0, start);
    }

    /// Queues blocks of a file: as few messages as the kernel takes. Blocks behind the file's last
    /// one are left out.
    pub fn push_train(&mut self, route: &Route, image: &Arc<Image>, train: &Train) {
        let end = end_within(image.size(), train);
        let mut next = train.blocks.first.max(1);
        if next >= end {
            return;
        }
        self.hold(image);
        // A block that goes out alone is spared a division.
        let per_message = match end - next {
            1 => 1,
            _ => u64::from(datagrams_per_message(train.blksize)),
        };
        while next < end {
            let first = next;
            next = end.min(first + per_message);
            let start = self.iovecs.len();
            let layout = self.push_blocks(image, train, first..next);
            let count = u32::try_from(next - first).unwrap_or(u32::MAX);
            let segment = if count > 1 {
                segment_len(train.blksize)
            } else {
                0
            };
            if segment > 0 && layout == Layout::Framed {
                self.framed += count as usize;
            }
            let owner = Some((train.ticket, first));
            self.push_message(route, layout, owner, count, segment, start);
        }
    }

    /// What is pushed from here on goes out behind what was, on all sockets.
    pub fn begin_windows(&mut self) {
        self.windows_from = Some(self.messages.len());
    }

    /// Forgets everything and lets the images go.
    pub fn clear(&mut self) {
        self.windows_from = None;
        self.framed = 0;
        self.messages.clear();
        self.iovecs.clear();
        self.arena.clear();
        self.images.clear();
        self.controls.clear();
        self.rendered.clear();
    }

    fn push_blocks(&mut self, image: &Image, train: &Train, blocks: Range<u64>) -> Layout {
        if let Some((address, len)) = image.framed(train.blksize, blocks.start, blocks.end - 1) {
            self.iovecs.push(libc::iovec {
                iov_base: address.cast_mut().cast(),
                iov_len: len,
            });
            return Layout::Framed;
        }
        for block in blocks {
            self.push_block(image, train, block);
        }
        Layout::Gathered
    }

    fn push_block(&mut self, image: &Image, train: &Train, block: u64) {
        let blksize = u64::from(train.blksize.max(1));
        self.push_bytes(&data_header(train.rollover.wire(block)));
        let offset = (block - 1) * blksize;
        let len = image.size().saturating_sub(offset).min(blksize);
        let base = if len == 0 {
            core::ptr::null_mut()
        } else {
            image.address(offset).cast_mut().cast()
        };
        self.iovecs.push(libc::iovec {
            iov_base: base,
            iov_len: usize::try_from(len).unwrap_or(0),
        });
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.iovecs.push(libc::iovec {
            iov_base: core::ptr::without_provenance_mut(self.arena.len()),
            iov_len: bytes.len(),
        });
        self.arena.extend_from_slice(bytes);
    }

    #[inline]
    fn push_message(
        &mut self,
        route: &Route,
        layout: Layout,
        owner: Option<(Ticket, u64)>,
        datagrams: u32,
        segment: u16,
        iovecs: usize,
    ) {
        let control = self.push_control(route, segment);
        self.messages.push(Message {
            route: *route,
            control,
            owner,
            layout,
            datagrams,
            segment,
            iovecs,
            image: u32::try_from(self.images.len().saturating_sub(1)).unwrap_or(u32::MAX),
        });
    }

    fn push_control(&mut self, route: &Route, segment: u16) -> Option<NonZeroU32> {
        let source = route.local.ip();
        if source.is_none() && segment == 0 {
            return None;
        }
        let mut control = Control::new();
        if let Some(ip) = source {
            control.set_source(ip, route.local.ifindex);
        }
        if segment > 0 {
            control.set_segment(segment);
        }
        self.controls.push(control);
        u32::try_from(self.controls.len())
            .ok()
            .and_then(NonZeroU32::new)
    }

    /// In a boot storm nearly every train is of the same image: one reference is enough.
    fn hold(&mut self, image: &Arc<Image>) {
        if !self
            .images
            .last()
            .is_some_and(|held| Arc::ptr_eq(held, image))
        {
            self.images.push(Arc::clone(image));
        }
    }

    /// Turns offsets into addresses and lays out one msghdr for each send. Nothing may be pushed
    /// afterwards, until the outbox is cleared.
    pub(super) fn seal(&mut self, segmentation: &Segmentation) {
        if !self.arena.is_empty() {
            self.point_into_arena();
        }
        let windows_from = self.windows_from.unwrap_or(self.messages.len());
        let sends = Sends {
            messages: &self.messages,
            controls: &self.controls,
            segmentation,
            singles_max: self.framed,
        };
        self.rendered.lay_out(sends, &mut self.iovecs, windows_from);
    }

    fn point_into_arena(&mut self) {
        let arena = self.arena.as_mut_ptr();
        for message in &self.messages {
            let stride = match message.layout {
                Layout::Packet => 1,
                Layout::Gathered => IOVECS_PER_BLOCK,
                Layout::Framed => continue,
            };
            let iovecs = self.iovecs.get_mut(message.iovecs()).unwrap_or_default();
            for iovec in iovecs.iter_mut().step_by(stride) {
                iovec.iov_base = arena.wrapping_add(iovec.iov_base.addr()).cast();
            }
        }
    }

    /// What was laid out by [`seal`](Outbox::seal).
    pub(super) const fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// `sendmmsg` writes the number of bytes sent into its headers.
    pub(super) fn headers_mut(&mut self, range: Range<usize>) -> &mut [libc::mmsghdr] {
        self.rendered.headers.get_mut(range).unwrap_or_default()
    }

    pub(super) fn controls(&self) -> &[Control] {
        &self.controls
    }

    pub(super) fn message(&self, index: u32) -> Option<&Message> {
        self.messages.get(index as usize)
    }

    /// Where a message's bytes begin, as they were laid out.
    pub(super) fn train(&self, message: &Message) -> libc::iovec {
        let nothing = libc::iovec {
            iov_base: core::ptr::null_mut(),
            iov_len: 0,
        };
        self.iovecs.get(message.iovecs).copied().unwrap_or(nothing)
    }

    /// The image that a train's blocks are of.
    pub(super) fn image(&self, message: &Message) -> Option<&Arc<Image>> {
        self.images.get(message.image as usize)
    }

    /// The bytes of a packet, once more.
    pub(super) fn packet(&self, message: &Message) -> Option<&[u8]> {
        let iovec = self.iovecs.get(message.iovecs)?;
        let start = iovec
            .iov_base
            .addr()
            .checked_sub(self.arena.as_ptr().addr())?;
        self.arena.get(start..start.checked_add(iovec.iov_len)?)
    }
}

/// The block behind the train's last one that a file of `size` bytes has. Transfers do not ask for more,
/// and a multiplication sees that; dividing for it took a third of [`Outbox::push_train`].
fn end_within(size: u64, train: &Train) -> u64 {
    let blksize = train.blksize.max(1);
    let end = train.blocks.first + u64::from(train.blocks.count);
    let before_last = end.saturating_sub(2).saturating_mul(blksize.into());
    if before_last <= size {
        end
    } else {
        last_block(size, blksize) + 1
    }
}

/// The kernel takes at most `UDP_MAX_SEGMENTS` segments (64 before Linux 6.9) and as many bytes as
/// one datagram could have.
fn datagrams_per_message(blksize: u16) -> u16 {
    const SEGMENTS_MAX: u16 = 64;
    const PAYLOAD_MAX: u16 = 65_507;
    (PAYLOAD_MAX / segment_len(blksize)).clamp(1, SEGMENTS_MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "HEADER_LEN is 4")]
const fn segment_len(blksize: u16) -> u16 {
    blksize.saturating_add(HEADER_LEN as u16)
}
