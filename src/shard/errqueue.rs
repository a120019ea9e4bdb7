//! Reads a socket's error queue: ICMP messages about datagrams that we sent.
//! It never ends a transfer; it only names the peer.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::address::{self, NAME_LEN};
use super::backend::Event;
use super::control::{CONTROL_LEN, Received};
use crate::endpoint::{Peer, SocketId};

/// Messages read at a time. The pending error stays for the rest, so that a receive reports it.
const BATCH: u32 = 1024;

#[repr(align(8))]
struct Control([u8; CONTROL_LEN]);

/// Reports each peer that cannot be reached, and clears the socket's pending error once there are
/// no more of them. Says how many messages there were.
pub(super) fn drain(
    fd: BorrowedFd<'_>,
    socket: SocketId,
    on_event: &mut dyn FnMut(Event<'_>),
) -> u32 {
    for count in 0..BATCH {
        match read(fd) {
            Some(Some(peer)) => on_event(Event::Unreachable { socket, peer }),
            Some(None) => {}
            None => {
                let _ = super::options::get(fd, libc::SOL_SOCKET, libc::SO_ERROR);
                return count;
            }
        }
    }
    BATCH
}

/// One message: `None` when there is none, `Some(None)` when it is about something else.
fn read(fd: BorrowedFd<'_>) -> Option<Option<Peer>> {
    let mut name = [0_u8; NAME_LEN];
    let mut control = Control([0; CONTROL_LEN]);
    // SAFETY: msghdr is plain data; all zero is a valid value.
    let mut header: libc::msghdr = unsafe { core::mem::zeroed() };
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = NAME_LEN as libc::socklen_t;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_LEN as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: the header describes two live buffers and no payload.
    let result = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags) };
    if result < 0 {
        return None;
    }
    let control = control.0.get(..header.msg_controllen as usize)?;
    let name = name.get(..header.msg_namelen as usize)?;
    let unreachable = Received::new(control).names_unreachable();
    Some(address::decode(name).filter(|_| unreachable))
}
