//! Control messages beside a datagram: source address and segment size out, arrival and ICMP in.
//! It never allocates and never dereferences a pointer: the layout of `cmsghdr` is spelt out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::backend::Arrival;

/// Room for what the kernel reports: an ICMP error with its offender, and an address.
pub(super) const CONTROL_LEN: usize = 128;

/// Room for what we send: an IPv6 source address and a segment size.
const SENT_LEN: usize = 64;

/// `cmsghdr`: a length of one machine word, level, type; the data follows.
const HEADER_LEN: usize = size_of::<usize>() + 8;
const UDP_SEGMENT: i32 = 103;

/// Control messages of one send, laid out for `msg_control`.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Control {
    bytes: [u8; SENT_LEN],
    /// Bytes up to the end of the source address.
    source_len: u8,
    len: u8,
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; SENT_LEN],
            source_len: 0,
            len: 0,
        }
    }

    /// The address and interface to send from. Zero address or interface: the kernel chooses.
    pub(super) fn set_source(&mut self, ip: IpAddr, ifindex: u32) {
        match ip {
            IpAddr::V4(ip) => {
                let mut info = [0; 12];
                let (index, rest) = info.split_at_mut(4);
                index.copy_from_slice(&ifindex.to_ne_bytes());
                if let Some((spec_dst, _)) = rest.split_at_mut_checked(4) {
                    spec_dst.copy_from_slice(&ip.octets());
                }
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            IpAddr::V6(ip) => {
                let mut info = [0; 20];
                let (addr, index) = info.split_at_mut(16);
                addr.copy_from_slice(&ip.octets());
                index.copy_from_slice(&ifindex.to_ne_bytes());
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
        }
        self.source_len = self.len;
    }

    /// Cuts the payload into datagrams of `size` bytes. Set after the source.
    pub(super) fn set_segment(&mut self, size: u16) {
        self.push(libc::IPPROTO_UDP, UDP_SEGMENT, &size.to_ne_bytes());
    }

    /// Pointer and length for a msghdr; without the segment size when `whole` is false.
    pub(super) const fn raw(&self, whole: bool) -> (*const u8, usize) {
        let len = if whole { self.len } else { self.source_len };
        if len == 0 {
            return (core::ptr::null(), 0);
        }
        (self.bytes.as_ptr(), len as usize)
    }

    fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let start = usize::from(self.len);
        let end = start + align(HEADER_LEN + data.len());
        let Some(room) = self.bytes.get_mut(start..end) else {
            debug_assert!(false, "SENT_LEN is too small");
            return;
        };
        let room = put(room, &(HEADER_LEN + data.len()).to_ne_bytes());
        let room = put(room, &level.to_ne_bytes());
        let room = put(room, &kind.to_ne_bytes());
        put(room, data);
        self.len = u8::try_from(end).unwrap_or(self.len);
    }
}

/// Writes `bytes` and hands back what lies behind them.
fn put<'a>(room: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    match room.split_at_mut_checked(bytes.len()) {
        Some((to, rest)) => {
            to.copy_from_slice(bytes);
            rest
        }
        None => &mut [],
    }
}

const fn align(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

/// Received control messages, one after the other.
pub(super) struct Received<'a> {
    bytes: &'a [u8],
}

impl<'a> Received<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Where the datagram came to, if the socket was told to say so.
    pub(super) fn arrival(self) -> Option<Arrival> {
        self.into_iter()
            .find_map(|message| match (message.level, message.kind) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => arrival_v4(message.data),
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => arrival_v6(message.data),
                _ => None,
            })
    }

    /// Whether an ICMP message says that nobody listens there, or that the host is not reached.
    pub(super) fn is_unreachable(self) -> bool {
        self.into_iter().any(|message| {
            matches!(
                (message.level, message.kind),
                (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
            ) && unreachable(message.data).unwrap_or(false)
        })
    }
}

impl<'a> Iterator for Received<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (len, rest) = self.bytes.split_first_chunk()?;
        let (level, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let len = usize::from_ne_bytes(*len);
        let data = rest.get(..len.checked_sub(HEADER_LEN)?)?;
        self.bytes = self.bytes.get(align(len)..).unwrap_or_default();
        Some(Message {
            level: i32::from_ne_bytes(*level),
            kind: i32::from_ne_bytes(*kind),
            data,
        })
    }
}

pub(super) struct Message<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// `in_pktinfo`: interface, the address to answer from, the address in the header.
fn arrival_v4(data: &[u8]) -> Option<Arrival> {
    let (ifindex, rest) = data.split_first_chunk()?;
    let (spec_dst, rest) = rest.split_first_chunk::<4>()?;
    let (header, _) = rest.split_first_chunk::<4>()?;
    Some(Arrival {
        ip: Ipv4Addr::from(*spec_dst).into(),
        ifindex: u32::from_ne_bytes(*ifindex),
        broadcast: spec_dst != header,
    })
}

/// `in6_pktinfo`: the address in the header, interface.
fn arrival_v6(data: &[u8]) -> Option<Arrival> {
    let (header, rest) = data.split_first_chunk::<16>()?;
    let (ifindex, _) = rest.split_first_chunk()?;
    let ip = Ipv6Addr::from(*header);
    let broadcast = ip.is_multicast();
    Some(Arrival {
        // Nobody may send from a multicast address: the kernel picks one of the interface's.
        ip: if broadcast { Ipv6Addr::UNSPECIFIED } else { ip }.into(),
        ifindex: u32::from_ne_bytes(*ifindex),
        broadcast,
    })
}

/// `sock_extended_err`: errno, origin, ... ICMP's "fragmentation needed" and "time exceeded" are
/// no reason to give a transfer up, and the kernel has other numbers for them.
fn unreachable(data: &[u8]) -> Option<bool> {
    let (errno, rest) = data.split_first_chunk()?;
    let origin = *rest.first()?;
    let icmp = origin == libc::SO_EE_ORIGIN_ICMP || origin == libc::SO_EE_ORIGIN_ICMP6;
    let errno = i32::try_from(u32::from_ne_bytes(*errno)).ok()?;
    Some(icmp && matches!(errno, libc::ECONNREFUSED | libc::EHOSTUNREACH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut control = Control::new();
        control.set_source("2001:db8::1".parse().expect("an address"), 3);
        control.set_segment(1432);
        let sent = control
            .bytes
            .get(..usize::from(control.len))
            .expect("in range");
        let arrival = Received::new(sent).arrival().expect("a pktinfo");
        assert_eq!(
            arrival.ip,
            "2001:db8::1".parse::<IpAddr>().expect("an address")
        );
        assert_eq!(arrival.ifindex, 3);
        assert_eq!(Received::new(sent).count(), 2);
        assert!(control.raw(false).1 < control.raw(true).1);
    }

    #[test]
    fn nonsense_ends_the_list() {
        assert_eq!(Received::new(&[0xff; 64]).count(), 0);
        assert_eq!(Received::new(&[0; 64]).count(), 0);
        assert_eq!(Received::new(&[1, 2, 3]).count(), 0);
    }
}
