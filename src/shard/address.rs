//! Socket addresses between our types and the kernel's.
//! It never trusts a length that the kernel did not give.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Bytes that hold the address of either family.
pub(super) const NAME_LEN: usize = size_of::<libc::sockaddr_in6>();

/// A destination, laid out for `msg_name`.
#[derive(Clone, Copy)]
pub(super) enum Name {
    V4(libc::sockaddr_in),
    V6(libc::sockaddr_in6),
}

impl Name {
    pub(super) const fn as_ptr(&self) -> *const libc::c_void {
        match self {
            Self::V4(addr) => core::ptr::from_ref(addr).cast(),
            Self::V6(addr) => core::ptr::from_ref(addr).cast(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the size of a small struct"
    )]
    pub(super) const fn len(&self) -> libc::socklen_t {
        match self {
            Self::V4(_) => size_of::<libc::sockaddr_in>() as libc::socklen_t,
            Self::V6(_) => size_of::<libc::sockaddr_in6>() as libc::socklen_t,
        }
    }
}

impl From<SocketAddr> for Name {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(v4) => Self::V4(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(v4.ip().octets()),
                },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(v6) => Self::V6(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: v6.ip().octets(),
                },
                sin6_scope_id: v6.scope_id(),
            }),
        }
    }
}

/// Reads what the kernel wrote to `msg_name`.
pub(super) fn decode(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(libc::sa_family_t::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let (ip, _) = rest.split_first_chunk::<4>()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(*ip), port).into())
        }
        libc::AF_INET6 => {
            let (_flow, rest) = rest.split_first_chunk::<4>()?;
            let (ip, rest) = rest.split_first_chunk::<16>()?;
            let (scope, _) = rest.split_first_chunk::<4>()?;
            let scope = u32::from_ne_bytes(*scope);
            Some(SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for text in ["192.0.2.1:69", "[fe80::7%4]:1069"] {
            let addr: SocketAddr = text.parse().expect("an address");
            let name = Name::from(addr);
            // SAFETY: the name is alive and holds `len` bytes.
            let bytes = unsafe {
                core::slice::from_raw_parts(name.as_ptr().cast::<u8>(), name.len() as usize)
            };
            assert_eq!(decode(bytes), Some(addr));
        }
        assert_eq!(decode(&[2, 0, 0]), None);
    }
}
