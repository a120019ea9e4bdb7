//! Builds a ring: flags and sizes as far as the kernel grants them, buffers, files, restrictions.
//! It never leaves a ring that can do more than this backend needs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use io_uring::register::{Probe, Restriction};
use io_uring::squeue::Flags;
use io_uring::{IoUring, Submitter, opcode};

use super::port::Port;
use super::refusal::Refusal;
use crate::limits::{LEASES, RING_LARGE, RING_SMALL, RingSize};
use crate::shard::open::ZeroCopy;
use crate::shard::sockets::Sockets;
use crate::shard::waker::Waker;

/// A ring that is ready for use, and the receiving side of each socket.
pub(super) struct Built {
    pub(super) ring: IoUring,
    pub(super) ports: Vec<Port>,
    /// Whether IORING_OP_SEND takes an address, which it has learnt in 6.1, as has the ring
    /// DEFER_TASKRUN.
    pub(super) plain_sends: bool,
    /// How many sends without a copy may be under way; `None` where there can be none.
    pub(super) zero_copy: Option<u32>,
}

/// Registered files: the sockets by their ids, then these.
pub(super) struct Slots {
    sockets: u32,
}

impl Slots {
    pub(super) fn of(ports: &[Port]) -> Self {
        let sockets = u32::try_from(ports.len()).unwrap_or(u32::MAX);
        Self { sockets }
    }

    pub(super) const fn waker(&self) -> u32 {
        self.sockets
    }

    /// Taken only while the ring is tried out.
    pub(super) const fn probe(&self) -> u32 {
        self.sockets + 1
    }
}

/// The large ring, or the small one where memory may not be locked.
pub(super) fn build(
    sockets: &Sockets,
    waker: &Waker,
    probe: Option<BorrowedFd<'_>>,
    zero_copy: ZeroCopy,
) -> Result<Built, Refusal> {
    match build_sized(sockets, waker, probe, zero_copy, RING_LARGE) {
        Err(refusal) if refusal.is(libc::ENOMEM) => {
            // The memory of the failed attempt is accounted for until the kernel has cleaned up.
            std::thread::sleep(core::time::Duration::from_millis(20));
            build_sized(sockets, waker, probe, zero_copy, RING_SMALL)
        }
        result => result,
    }
}

fn build_sized(
    sockets: &Sockets,
    waker: &Waker,
    probe: Option<BorrowedFd<'_>>,
    zero_copy: ZeroCopy,
    size: RingSize,
) -> Result<Built, Refusal> {
    let (ring, plain_sends) = create(size).map_err(Refusal::at("io_uring_setup"))?;
    let submitter = ring.submitter();
    let mut ports = Vec::new();
    for id in sockets.layout().ids() {
        let buffers = Refusal::at("the receive buffers");
        let port = Port::new(sockets.role(id), sockets.datagram_len(id), size);
        let port = port.map_err(buffers)?;
        // SAFETY: the ports are kept beside the ring, which is closed before they are dropped.
        let registered = unsafe { port.buffers.register(&submitter, id.0) };
        registered.map_err(Refusal::at("the receive buffers"))?;
        ports.push(port);
    }
    let files = files(sockets, waker, probe);
    submitter
        .register_files(&files)
        .map_err(Refusal::at("registering sockets"))?;
    let zero_copy = zero_copy == ZeroCopy::Auto && can_zero_copy(&submitter);
    submitter
        .register_restrictions(&mut restrictions(zero_copy))
        .map_err(Refusal::at("restricting the ring"))?;
    submitter
        .register_enable_rings()
        .map_err(Refusal::at("enabling the ring"))?;
    Ok(Built {
        ring,
        ports,
        plain_sends,
        // A notification for each must find room beside all else that completes.
        zero_copy: zero_copy.then_some(size.completions / 4),
    })
}

/// Leaves out one flag after the other until the kernel knows the rest: NO_SQARRAY came with 6.6,
/// DEFER_TASKRUN with 6.1. Everything else is in 6.0, as is the multishot receive. Says also whether
/// DEFER_TASKRUN was granted.
fn create(size: RingSize) -> io::Result<(IoUring, bool)> {
    let mut result = Err(io::Error::from_raw_os_error(libc::EINVAL));
    for (no_sqarray, defer) in [(true, true), (false, true), (false, false)] {
        let mut builder = IoUring::builder();
        builder
            .setup_single_issuer()
            .setup_submit_all()
            .setup_taskrun_flag()
            .setup_r_disabled()
            .setup_cqsize(size.completions)
            .dontfork();
        if defer {
            builder.setup_defer_taskrun();
        } else {
            builder.setup_coop_taskrun();
        }
        if no_sqarray {
            builder.setup_no_sqarray();
        }
        result = builder.build(size.submissions).map(|ring| (ring, defer));
        match &result {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            _ => break,
        }
    }
    result
}

fn files(sockets: &Sockets, waker: &Waker, probe: Option<BorrowedFd<'_>>) -> Vec<RawFd> {
    const EMPTY_SLOT: RawFd = -1;
    let sockets = sockets.layout().ids().map(|id| sockets.fd(id));
    let files = sockets.chain([Some(waker.as_fd()), probe]);
    files
        .map(|file| file.map_or(EMPTY_SLOT, |fd| fd.as_raw_fd()))
        .collect()
}

/// Whether the kernel knows the request (Linux 6.1), and gave the table that registered memory
/// will be in.
fn can_zero_copy(submitter: &Submitter<'_>) -> bool {
    let mut known = Probe::new();
    submitter.register_probe(&mut known).is_ok()
        && known.is_supported(opcode::SendMsgZc::CODE)
        && submitter.register_buffers_sparse(u32::from(LEASES)).is_ok()
}

/// Six kinds of requests, on registered files only; afterwards files can only be taken away or
/// replaced. Whoever takes this process over cannot use its ring to open or connect anything.
fn restrictions(zero_copy: bool) -> Vec<Restriction> {
    const FILES_UNREGISTER: u8 = 3;
    const FILES_UPDATE: u8 = 6;
    const BUFFERS_UPDATE: u8 = 16;
    let fixed = Flags::FIXED_FILE.bits();
    let operations = [
        opcode::Send::CODE,
        opcode::SendMsg::CODE,
        opcode::RecvMsgMulti::CODE,
        opcode::PollAdd::CODE,
        opcode::AsyncCancel::CODE,
    ];
    let registrations = [FILES_UNREGISTER, FILES_UPDATE].map(Restriction::register_op);
    let without_copy = [
        Restriction::sqe_op(opcode::SendMsgZc::CODE),
        Restriction::register_op(BUFFERS_UPDATE),
    ];
    let without_copy = without_copy.into_iter().filter(|_| zero_copy);
    let flags = [
        Restriction::sqe_flags_required(fixed),
        Restriction::sqe_flags_allowed(fixed | Flags::BUFFER_SELECT.bits()),
    ];
    let operations = operations.map(Restriction::sqe_op);
    operations
        .into_iter()
        .chain(registrations)
        .chain(without_copy)
        .chain(flags)
        .collect()
}

#[cfg(test)]
mod tests {
    use io_uring::squeue::Entry;
    use io_uring::types::Fixed;

    use super::*;
    use crate::shard::uring::ring::{Wait, enter, push};
    use crate::shard::{Listen, Plan, bind};

    const SLOT: Fixed = Fixed(0);

    /// What a taken-over process would like to ask of a ring, in vain.
    fn forbidden() -> [(&'static str, Entry); 9] {
        let nowhere: *mut u8 = core::ptr::null_mut();
        let here = io_uring::types::Fd(libc::AT_FDCWD);
        [
            ("nop", opcode::Nop::new().build()),
            (
                "open",
                opcode::OpenAt::new(here, c"/etc/passwd".as_ptr()).build(),
            ),
            (
                "socket",
                opcode::Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0).build(),
            ),
            (
                "connect",
                opcode::Connect::new(SLOT, nowhere.cast(), 0).build(),
            ),
            (
                "accept",
                opcode::Accept::new(SLOT, nowhere.cast(), nowhere.cast()).build(),
            ),
            ("read", opcode::Read::new(SLOT, nowhere, 0).build()),
            ("write", opcode::Write::new(SLOT, nowhere, 0).build()),
            (
                "unlink",
                opcode::UnlinkAt::new(here, c"/etc/passwd".as_ptr()).build(),
            ),
            // An allowed one, but on a descriptor that is not registered.
            (
                "send",
                opcode::Send::new(io_uring::types::Fd(1), nowhere, 0).build(),
            ),
        ]
    }

    #[test]
    fn a_ring_does_nothing_but_datagrams_on_its_own_sockets() {
        let plan = Plan {
            listen: vec![Listen {
                addr: (core::net::Ipv4Addr::LOCALHOST, 0).into(),
                optional: false,
            }],
            shards: 1,
            single_port: false,
            data_ports: None,
        };
        let sockets = bind(&plan).expect("sockets").pop().expect("a shard");
        let waker = Waker::new().expect("an eventfd");
        let mut ring = match build(&sockets, &waker, None, ZeroCopy::Auto) {
            Ok(built) => built.ring,
            // The tests of whole servers say whether that may be.
            Err(why) => return eprintln!("skipped: {why}"),
        };
        for (name, entry) in forbidden() {
            // SAFETY: the kernel refuses the request before it looks at its pointers.
            assert!(unsafe { push(&mut ring, &entry.user_data(7)) });
            enter(&mut ring, Wait::For(1, None)).expect("entered");
            let completion = ring.completion().next().expect("a completion");
            assert_eq!(completion.result(), -libc::EACCES, "{name}");
        }
        let submitter = ring.submitter();
        let refused = [
            submitter.register_eventfd(0),
            submitter.register_personality().map(drop),
            submitter.register_iowq_max_workers(&mut [1, 1]),
            submitter.register_enable_rings(),
        ];
        for result in refused {
            let errno = result.expect_err("a refusal").raw_os_error();
            assert!(
                matches!(errno, Some(libc::EACCES | libc::EBADFD)),
                "{errno:?}"
            );
        }
    }
}
