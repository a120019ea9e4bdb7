//! Control messages: which of our addresses a datagram came to or leaves from, and how a train is
//! divided.
//! It never allocates.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Room for an IPv6 PKTINFO message and a UDP_GRO message.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; 80]);

pub(super) const CONTROL_LEN: usize = size_of::<Control>();

impl Control {
    pub(super) const EMPTY: Self = Self([0; 80]);
}

/// The address that the packet was sent to, and the segment size when it is a train.
pub(super) fn read(header: &libc::msghdr) -> (Option<IpAddr>, Option<usize>) {
    let (mut local, mut segment) = (None, None);
    // SAFETY: the kernel filled the control block and its length; the macros stay inside, and
    // reads are unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while !at.is_null() {
            let data = libc::CMSG_DATA(at);
            match ((*at).cmsg_level, (*at).cmsg_type) {
                (libc::SOL_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    let address = Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr));
                    local = Some(IpAddr::V4(address));
                }
                (libc::SOL_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    local = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = data.cast::<libc::c_int>().read_unaligned();
                    segment = usize::try_from(size).ok();
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    (local, segment)
}

/// Says which address the packet leaves from.
///
/// # Safety
/// The header's control pointer must point to a [`Control`].
pub(super) unsafe fn write_source(header: &mut libc::msghdr, source: IpAddr) {
    match source {
        IpAddr::V4(source) => {
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr {
                    s_addr: source.to_bits().to_be(),
                },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            // SAFETY: passed on to the caller.
            unsafe { write(header, libc::SOL_IP, libc::IP_PKTINFO, info) };
        }
        IpAddr::V6(source) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr {
                    s6_addr: source.octets(),
                },
                ipi6_ifindex: 0,
            };
            // SAFETY: passed on to the caller.
            unsafe { write(header, libc::SOL_IPV6, libc::IPV6_PKTINFO, info) };
        }
    }
}

/// # Safety
/// As [`write_source`]; a message of this type must fit a [`Control`].
unsafe fn write<T>(header: &mut libc::msghdr, level: libc::c_int, kind: libc::c_int, value: T) {
    let len = size_of::<T>() as u32;
    // SAFETY: the caller promises the room; with this length the first header is inside of it.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(len) as _;
        let at = libc::CMSG_FIRSTHDR(header);
        (*at).cmsg_level = level;
        (*at).cmsg_type = kind;
        (*at).cmsg_len = libc::CMSG_LEN(len) as _;
        libc::CMSG_DATA(at).cast::<T>().write_unaligned(value);
    }
}
