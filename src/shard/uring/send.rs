//! One laid-out send, and the ordinary request for it.
//! It never decides how a send is made.

use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::Fixed;

use super::tag::Tag;
use crate::shard::outbox::Message;
use crate::shard::render::Piece;

/// A laid-out send.
pub(super) struct Send<'a> {
    pub(super) message: &'a Message,
    pub(super) piece: &'a Piece,
    pub(super) header: &'a libc::msghdr,
    /// Its place among the turn's headers.
    pub(super) position: u32,
}

/// The request for a send that copies: without a msghdr where `bytes` are all there is to say, as
/// the kernel then copies the address and nothing else before it begins.
pub(super) fn copying(send: &Send<'_>, bytes: Option<libc::iovec>) -> Entry {
    let slot = Fixed(u32::from(send.message.route.socket.0));
    let entry = match bytes {
        Some(bytes) => opcode::Send::new(
            slot,
            bytes.iov_base.cast(),
            // More than a datagram holds is refused, however many bytes it is.
            u32::try_from(bytes.iov_len).unwrap_or(u32::MAX),
        )
        .dest_addr(send.header.msg_name.cast())
        .dest_addr_len(send.header.msg_namelen)
        .flags(libc::MSG_DONTWAIT)
        .build(),
        None => opcode::SendMsg::new(slot, send.header)
            .flags(libc::MSG_DONTWAIT as u32)
            .build(),
    };
    entry.user_data(Tag::Send(send.position).pack())
}
