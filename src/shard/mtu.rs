//! How large a block an interface takes without fragments.
//! It never asks the path, only the first hop: the kernel fragments for the rest.

use core::net::IpAddr;
use std::collections::HashMap;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::limits::MTU_FRESH_SECS;
use crate::transfer::{MAX_BLKSIZE, Nanos};

/// IP (20 or 40 bytes), UDP (8) and TFTP (4) headers.
const HEADERS_V4: u32 = 32;
const HEADERS_V6: u32 = 52;

/// The smallest block that is worth cutting a request down to (RFC 1350).
const BLKSIZE_PLAIN: u16 = 512;

/// MTUs by interface, asked again when they are old. One entry for each interface of the host.
#[derive(Debug, Default)]
pub struct Mtus {
    known: HashMap<u32, (u32, Nanos)>,
}

impl Mtus {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest block that fits one frame to `peer`. Where the interface or its MTU is unknown,
    /// any block is said to fit.
    pub fn blksize_max(&mut self, ifindex: u32, peer: IpAddr, now: Nanos) -> u16 {
        let headers = if peer.is_ipv4() {
            HEADERS_V4
        } else {
            HEADERS_V6
        };
        match self.mtu(ifindex, now) {
            Some(mtu) => {
                let room = u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX);
                room.clamp(BLKSIZE_PLAIN, MAX_BLKSIZE)
            }
            None => MAX_BLKSIZE,
        }
    }

    fn mtu(&mut self, ifindex: u32, now: Nanos) -> Option<u32> {
        match self.known.get(&ifindex) {
            Some(&(mtu, asked)) if now - asked < Nanos::from_secs(MTU_FRESH_SECS) => Some(mtu),
            _ => {
                let mtu = ask(ifindex)?;
                self.known.insert(ifindex, (mtu, now));
                Some(mtu)
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "ioctl numbers differ in width between C libraries"
)]
fn ask(ifindex: u32) -> Option<u32> {
    use std::os::fd::AsRawFd;

    if ifindex == 0 {
        return None;
    }
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .ok()?;
    let name = rustix::net::netdevice::index_to_name_inlined(&socket, ifindex).ok()?;
    // SAFETY: ifreq is plain data; all zero is a valid value.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: SIOCGIFMTU reads the name from a whole ifreq and writes the MTU into it.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) };
    if result != 0 {
        return None;
    }
    // SAFETY: the successful call has filled in this member.
    u32::try_from(unsafe { request.ifr_ifru.ifru_mtu }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn loopback_has_an_mtu() {
        let mut mtus = Mtus::new();
        let index = ask(1).expect("the loopback interface is always number 1");
        let v4 = mtus.blksize_max(1, Ipv4Addr::LOCALHOST.into(), Nanos::ZERO);
        let v6 = mtus.blksize_max(1, Ipv6Addr::LOCALHOST.into(), Nanos::ZERO);
        assert_eq!(u32::from(v4), (index - 32).min(65_464));
        assert_eq!(u32::from(v6), (index - 52).min(65_464));
    }

    #[test]
    fn an_unknown_interface_limits_nothing() {
        let mut mtus = Mtus::new();
        for ifindex in [0, 0x7fff_0000] {
            assert_eq!(
                mtus.blksize_max(ifindex, Ipv4Addr::LOCALHOST.into(), Nanos::ZERO),
                65_464
            );
        }
    }
}
