//! The one request that the `io-uring` crate cannot spell: a message from a registered buffer.
//! It never builds more than the field that is missing; the crate does the rest.

use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::Fixed;

/// `IORING_RECVSEND_FIXED_BUF`: the bytes lie in a registered buffer.
const FIXED_BUFFER: u16 = 1 << 2;
/// `IORING_SEND_ZC_REPORT_USAGE`: the notification says whether the kernel copied.
const REPORT_USAGE: u16 = 1 << 3;
/// `IORING_NOTIF_USAGE_ZC_COPIED`, the result of a notification.
const COPIED: i32 = 1 << 31;

/// The 64-bit words of a request, and the one that begins with `buf_index` (`io_uring_sqe` in
/// `linux/io_uring.h`).
type Words = [u64; 8];
const BUFFER_WORD: usize = 5;

const _: () = assert!(size_of::<Entry>() == size_of::<Words>());
const _: () = assert!(align_of::<Entry>() == align_of::<Words>());

/// Sends a message without copying its bytes, from registered buffer `buffer` if there is one.
pub(super) fn send(slot: Fixed, header: *const libc::msghdr, buffer: Option<u16>) -> Entry {
    let fixed = if buffer.is_some() { FIXED_BUFFER } else { 0 };
    let entry = opcode::SendMsgZc::new(slot, header)
        .flags(libc::MSG_DONTWAIT as u32)
        .ioprio(REPORT_USAGE | fixed)
        .build();
    match buffer {
        Some(buffer) => with_buffer(entry, buffer),
        None => entry,
    }
}

/// Whether the result of a notification says that the kernel copied.
pub(super) const fn copied(result: i32) -> bool {
    result & COPIED != 0
}

fn with_buffer(entry: Entry, buffer: u16) -> Entry {
    // SAFETY: an entry is the kernel's `io_uring_sqe` (`repr(C)`, asserted to be of this size and
    // alignment), in which every bit pattern is valid and no byte is padding.
    let mut words: Words = unsafe { core::mem::transmute(entry) };
    if let Some(word) = words.get_mut(BUFFER_WORD) {
        let mut bytes = word.to_ne_bytes();
        let (index, _) = bytes.split_at_mut(size_of::<u16>());
        index.copy_from_slice(&buffer.to_ne_bytes());
        *word = u64::from_ne_bytes(bytes);
    }
    // SAFETY: as above, the other way round.
    unsafe { core::mem::transmute(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crate knows the field of another request, which has it at the same place.
    #[test]
    fn the_buffer_is_where_the_crate_puts_it() {
        let theirs = opcode::SendZc::new(Fixed(3), core::ptr::null(), 1)
            .buf_index(Some(513))
            .build();
        let ours = send(Fixed(3), core::ptr::null(), Some(513));
        assert_eq!(word(theirs), word(ours));
        let none = send(Fixed(3), core::ptr::null(), None);
        assert_eq!(word(none), 0);
    }

    fn word(entry: Entry) -> u64 {
        // SAFETY: as in `with_buffer`.
        let words: Words = unsafe { core::mem::transmute(entry) };
        words[BUFFER_WORD]
    }

    #[test]
    fn the_top_bit_says_copied() {
        assert!(copied(i32::MIN));
        assert!(!copied(0));
    }
}
