//! Socket addresses between our types and the kernel's.
//! It never trusts a length that the kernel did not give.

use crate::endpoint::Peer;

/// Bytes that hold the address of either family.
pub(super) const NAME_LEN: usize = size_of::<libc::sockaddr_in6>();

// A peer is handed to the kernel as it is.
const _: () = assert!(size_of::<Peer>() == NAME_LEN);
const _: () = assert!(align_of::<Peer>() == align_of::<libc::sockaddr_in6>());
const _: () = assert!(Peer::FAMILY_V4 == libc::AF_INET as libc::sa_family_t);
const _: () = assert!(Peer::FAMILY_V6 == libc::AF_INET6 as libc::sa_family_t);

/// A peer as a destination: `msg_name` and its length.
pub(super) const fn name(peer: &Peer) -> (*const libc::c_void, libc::socklen_t) {
    let len = if peer.is_v4() {
        size_of::<libc::sockaddr_in>()
    } else {
        size_of::<libc::sockaddr_in6>()
    };
    (core::ptr::from_ref(peer).cast(), len as libc::socklen_t)
}

/// Reads what the kernel wrote to `msg_name`.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> Option<Peer> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (v4_or_flow, rest) = rest.split_first_chunk::<4>()?;
    match libc::sa_family_t::from_ne_bytes(*family) {
        Peer::FAMILY_V4 => Some(Peer::v4(*v4_or_flow, *port)),
        Peer::FAMILY_V6 => {
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            let (scope, _) = rest.split_first_chunk::<4>()?;
            Some(Peer::v6(*ip, *port, u32::from_ne_bytes(*scope)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;

    /// What the kernel would read.
    fn bytes(peer: &Peer) -> &[u8] {
        let (start, len) = name(peer);
        // SAFETY: the peer is alive and holds `len` bytes, all of them fields.
        unsafe { core::slice::from_raw_parts(start.cast::<u8>(), len as usize) }
    }

    #[test]
    fn names_are_read_back() {
        for text in ["192.0.2.1:69", "[2001:db8::7]:1069", "[fe80::7%4]:1069"] {
            let addr: SocketAddr = text.parse().expect("an address");
            let peer = Peer::from(addr);
            assert_eq!(decode(bytes(&peer)), Some(peer));
            assert_eq!(peer.to_addr(), addr);
        }
        assert_eq!(decode(&[2, 0, 0]), None);
        assert_eq!(decode(&[1; NAME_LEN]), None);
    }

    /// As ip(7) and ipv6(7) lay addresses out.
    #[test]
    fn a_peer_is_laid_out_as_the_kernel_reads_it() {
        let v4 = Peer::from(SocketAddr::from(([192, 0, 2, 1], 69)));
        let head = libc::AF_INET as libc::sa_family_t;
        let head = head.to_ne_bytes();
        let zeros = [0; 8];
        assert_eq!(
            bytes(&v4),
            [&head[..], &[0, 69, 192, 0, 2, 1], &zeros].concat()
        );
        let addr: SocketAddr = "[fe80::7%4]:1069".parse().expect("an address");
        let v6 = Peer::from(addr);
        let head = libc::AF_INET6 as libc::sa_family_t;
        let head = head.to_ne_bytes();
        let mut ip = [0; 16];
        (ip[0], ip[1], ip[15]) = (0xfe, 0x80, 7);
        let scope = 4_u32.to_ne_bytes();
        assert_eq!(
            bytes(&v6),
            [&head[..], &[4, 45], &[0; 4], &ip, &scope].concat()
        );
    }
}
