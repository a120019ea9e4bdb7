//! Tries a new ring out: a datagram through it, out and in again.
//! It never touches the sockets that the ring is for.

use core::net::{Ipv4Addr, SocketAddr};
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

use io_uring::types::Fixed;
use io_uring::{cqueue, opcode};

use super::refusal::Refusal;
use super::ring::{Wait, enter, push};
use super::setup::{Built, Slots};
use super::tag::Tag;
use crate::clock;
use crate::endpoint::Peer;
use crate::endpoint::SocketId;
use crate::limits::{PROBE_TRIES, PROBE_WAIT};
use crate::shard::address;
use crate::shard::backend::Event;
use crate::transfer::Nanos;

/// Borrows the buffers of the first socket.
const BORROWED: SocketId = SocketId(0);

const STEP: &str = "a round trip on loopback";

/// A socket that talks to itself.
pub(super) struct Probe {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Probe {
    /// `None` on a host without IPv4 loopback: then the ring must be trusted.
    pub(super) fn open() -> Option<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let addr = socket.local_addr().ok()?;
        Some(Self { socket, addr })
    }

    /// Sends a datagram and receives it, then leaves the ring as it was.
    pub(super) fn run(self, built: &mut Built) -> Result<(), Refusal> {
        if built.ports.is_empty() {
            return Ok(());
        }
        let outcome = self.round_trip(built).and_then(|()| cancel(built));
        outcome.map_err(Refusal::at(STEP))
    }

    fn round_trip(&self, built: &mut Built) -> io::Result<()> {
        const PAYLOAD: &[u8] = b"ringboot";
        let slot = Slots::of(&built.ports).probe();
        let peer = Peer::from(self.addr);
        let (name, name_len) = address::name(&peer);
        let mut iovec = libc::iovec {
            iov_base: PAYLOAD.as_ptr().cast_mut().cast(),
            iov_len: PAYLOAD.len(),
        };
        // SAFETY: msghdr is plain data; all zero is a valid value.
        let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
        header.msg_name = name.cast_mut();
        header.msg_namelen = name_len;
        header.msg_iov = &raw mut iovec;
        header.msg_iovlen = 1;

        let Some(port) = built.ports.first() else {
            return Ok(());
        };
        let receive = port.receive(slot, BORROWED.0);
        let send = opcode::SendMsg::new(Fixed(slot), &raw const header).build();
        // SAFETY: the port outlives the ring.
        unsafe {
            push(
                &mut built.ring,
                &receive.user_data(Tag::Receive(BORROWED).pack()),
            );
        }
        let send = send.user_data(Tag::Send(0).pack());
        for _ in 0..PROBE_TRIES {
            // SAFETY: the message is submitted before this function returns, and the send does not
            // outlast the submission.
            unsafe { push(&mut built.ring, &send) };
            if arrives(built, PAYLOAD)? {
                return Ok(());
            }
        }
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }
}

/// Waits until the datagram has left and is here. `false`: it got lost, as a host's firewall may have
/// it even on loopback.
fn arrives(built: &mut Built, payload: &[u8]) -> io::Result<bool> {
    let deadline = clock::now() + PROBE_WAIT;
    let (mut sent, mut received) = (false, false);
    while !(sent && received) {
        if clock::now() >= deadline {
            return Ok(false);
        }
        enter(&mut built.ring, Wait::For(1, Some(deadline)))?;
        for completion in built.ring.completion() {
            check(&completion)?;
            if Tag::unpack(completion.user_data()) == Some(Tag::Send(0)) {
                sent = true;
            } else if let Some(port) = built.ports.first_mut() {
                let event = port.datagram(BORROWED, &completion);
                received = matches!(event, Some(Event::Datagram { bytes, .. }) if bytes == payload);
                port.recycle(&completion);
            }
        }
    }
    Ok(true)
}

impl AsFd for Probe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn check(completion: &cqueue::Entry) -> io::Result<()> {
    if completion.result() < 0 {
        return Err(io::Error::from_raw_os_error(-completion.result()));
    }
    Ok(())
}

/// Ends the receive and forgets the socket.
fn cancel(built: &mut Built) -> io::Result<()> {
    // SAFETY: the request points to nothing.
    unsafe { push(&mut built.ring, &super::cancel(Tag::Receive(BORROWED))) };
    let deadline = clock::now() + Nanos::from_secs(1);
    let mut ended = false;
    while !ended {
        if clock::now() >= deadline {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        enter(&mut built.ring, Wait::For(1, Some(deadline)))?;
        for completion in built.ring.completion() {
            if let Some(port) = built.ports.first_mut() {
                port.recycle(&completion);
            }
            let receive = Tag::unpack(completion.user_data()) == Some(Tag::Receive(BORROWED));
            ended |= receive && !cqueue::more(completion.flags());
        }
    }
    let slot = Slots::of(&built.ports).probe();
    built.ring.submitter().register_files_update(slot, &[-1])?;
    Ok(())
}
