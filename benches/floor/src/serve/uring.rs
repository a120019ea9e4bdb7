//! The yardstick's loop over io_uring: multishot receive, one submit for each turn.
//! Never punts to a worker thread and never waits for a send.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use io_uring::types::{Fixed, RecvMsgOut};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::bufring::BufRing;
use super::{Plan, each_buffer};

const SQ_ENTRIES: u32 = 2048;
const CQ_ENTRIES: u32 = 8192;
/// More than the receive-side batch of the kernel (32 for each turn) by far, so ENOBUFS is rare.
const BUFFERS: u16 = 2048;
const GROUP: u16 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const SOCKET: Fixed = Fixed(0);
const NAME_BYTES: usize = size_of::<libc::sockaddr_in>();
/// The header that the kernel puts before a received packet, the name, and a request of RFC 1350 size.
const BUFFER_BYTES: usize = 16 + NAME_BYTES + 576;

pub fn run(socket: &UdpSocket, plan: &Plan) -> io::Result<()> {
    plan.prepare(socket)?;
    let mut buffers = BufRing::new(BUFFERS, BUFFER_BYTES);
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(CQ_ENTRIES)
        .build(SQ_ENTRIES)?;
    ring.submitter().register_files(&[socket.as_raw_fd()])?;
    buffers.register(&ring, GROUP)?;
    // SAFETY: all-zero bytes are a valid msghdr.
    let mut shape: libc::msghdr = unsafe { std::mem::zeroed() };
    shape.msg_namelen = NAME_BYTES as libc::socklen_t;
    let mut outbox = Outbox::new();
    arm(&mut ring, &mut outbox, &shape)?;
    let mut done: Vec<cqueue::Entry> = Vec::with_capacity(CQ_ENTRIES as usize);
    loop {
        match ring.submit_and_wait(1) {
            Ok(_) => {}
            Err(e)
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) => {}
            Err(e) => return Err(e),
        }
        outbox.submitted();
        done.extend(ring.completion());
        let mut ended = false;
        for entry in done.drain(..) {
            // A send answers only when it failed: its client asks again.
            if entry.user_data() != RECEIVE {
                continue;
            }
            if let Some(id) = cqueue::buffer_select(entry.flags()) {
                if let Ok(got) = RecvMsgOut::parse(buffers.buffer(id), &shape) {
                    let mut failed = None;
                    let to = outbox.address(got.name_data());
                    each_buffer(plan, plan.answer(got.payload_data()), |bytes| {
                        if let Err(e) = outbox.push(&mut ring, bytes, to) {
                            failed = Some(e);
                        }
                    });
                    if let Some(e) = failed {
                        return Err(e);
                    }
                }
                buffers.give_back(id);
            }
            // ENOBUFS and the kernel's own limits end a multishot: an ordinary event.
            ended |= !cqueue::more(entry.flags());
        }
        buffers.publish();
        if ended {
            arm(&mut ring, &mut outbox, &shape)?;
        }
    }
}

fn arm(ring: &mut IoUring, outbox: &mut Outbox, shape: &libc::msghdr) -> io::Result<()> {
    let entry = opcode::RecvMsgMulti::new(SOCKET, shape, GROUP)
        .build()
        .user_data(RECEIVE);
    outbox.push_entry(ring, &entry)
}

/// Addresses of sends that are queued but not yet submitted. The kernel copies them when it takes the entry.
struct Outbox {
    addresses: Box<[[u8; NAME_BYTES]]>,
    used: usize,
}

impl Outbox {
    fn new() -> Outbox {
        Outbox {
            addresses: vec![[0; NAME_BYTES]; CQ_ENTRIES as usize].into(),
            used: 0,
        }
    }

    /// Copies the peer's address out of the receive buffer, which goes back to the kernel before the submit.
    fn address(&mut self, name: &[u8]) -> *const libc::sockaddr {
        let slot = &mut self.addresses[self.used];
        // One more address than sends is harmless; a full array starts again because `done` is no longer than it.
        self.used = (self.used + 1) % CQ_ENTRIES as usize;
        let len = name.len().min(NAME_BYTES);
        slot[..len].copy_from_slice(&name[..len]);
        slot.as_ptr().cast()
    }

    fn push(
        &mut self,
        ring: &mut IoUring,
        bytes: &[u8],
        to: *const libc::sockaddr,
    ) -> io::Result<()> {
        let entry = opcode::Send::new(SOCKET, bytes.as_ptr(), bytes.len() as u32)
            .dest_addr(to)
            .dest_addr_len(NAME_BYTES as libc::socklen_t)
            .flags(libc::MSG_DONTWAIT)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND);
        self.push_entry(ring, &entry)
    }

    fn push_entry(&mut self, ring: &mut IoUring, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the frames and the receive shape live as long as the loop; addresses until the entry is submitted.
        while unsafe { ring.submission().push(entry) }.is_err() {
            ring.submit()?;
        }
        Ok(())
    }

    fn submitted(&mut self) {
        self.used = 0;
    }
}
