//! The kernel's neighbour table: the hardware addresses of machines on our own links.
//! It never waits for a machine: what the kernel does not know yet stays unknown.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};

use crate::limits::{NEIGHBOUR_ANSWERS, NEIGHBOURS_BURST, NEIGHBOURS_INTERVAL, NEIGHBOURS_KEPT};
use crate::names::Mac;
use crate::transfer::Nanos;

/// A copy of the table, taken anew when it is old or lacks somebody.
#[derive(Debug, Default)]
pub struct Neighbours {
    copy: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    macs: HashMap<IpAddr, Mac>,
    taken: Nanos,
    /// When the kernel may have been asked as often as it may be (GCRA).
    spent_until: Nanos,
}

impl Neighbours {
    /// The hardware address of a machine, if the kernel has talked to it.
    pub fn look_up(&self, ip: IpAddr, now: Nanos) -> Option<Mac> {
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let found = copy.macs.get(&ip).copied();
        if found.is_some() && now - copy.taken < NEIGHBOURS_KEPT {
            return found;
        }
        if !copy.may_ask(now) {
            return found;
        }
        if let Ok(macs) = ask_kernel() {
            copy.macs = macs;
            copy.taken = now;
        }
        copy.macs.get(&ip).copied()
    }
}

impl Neighbours {
    /// The same without asking the kernel. `None`: it would have to be asked.
    pub(super) fn recall(&self, ip: IpAddr, now: Nanos) -> Option<Mac> {
        let copy = self.copy.try_lock().ok()?;
        let fresh = now - copy.taken < NEIGHBOURS_KEPT;
        copy.macs.get(&ip).copied().filter(|_| fresh)
    }
}

impl Table {
    /// A machine that has just come up is in the kernel's table and not in our copy; one behind a
    /// router is in neither, and its requests must not keep us asking.
    fn may_ask(&mut self, now: Nanos) -> bool {
        let spent_until = self.spent_until.max(now) + NEIGHBOURS_INTERVAL;
        let may = spent_until - now <= NEIGHBOURS_INTERVAL.times(NEIGHBOURS_BURST);
        if may {
            self.spent_until = spent_until;
        }
        may
    }
}

/// Sizes and numbers of `linux/netlink.h`, `linux/rtnetlink.h` and `linux/neighbour.h`.
const HEADER: usize = 16;
const NEIGHBOUR: usize = 12;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const REQUEST_DUMP: u16 = 0x301;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Incomplete, failed, or of a link without such addresses.
const NUD_USELESS: u16 = 0x01 | 0x20 | 0x40;

fn ask_kernel() -> io::Result<HashMap<IpAddr, Mac>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is number 0, which is what `None` stands for.
        None,
    )?;
    let patience = Some(Duration::from_secs(1));
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, patience)?;
    let mut question = [0; HEADER + NEIGHBOUR];
    let length = u32::try_from(question.len()).unwrap_or(0);
    question[0..4].copy_from_slice(&length.to_ne_bytes());
    question[4..6].copy_from_slice(&RTM_GETNEIGH.to_ne_bytes());
    question[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    send(&socket, &question, SendFlags::empty())?;
    let mut macs = HashMap::new();
    read_answers(&socket, &mut macs)?;
    Ok(macs)
}

fn read_answers(socket: &OwnedFd, macs: &mut HashMap<IpAddr, Mac>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..NEIGHBOUR_ANSWERS {
        let (length, _) = recv(socket, &mut *buffer, RecvFlags::empty())?;
        if read_messages(&buffer[..length], macs) {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes what one datagram tells. Says whether it was the last one.
fn read_messages(mut rest: &[u8], macs: &mut HashMap<IpAddr, Mac>) -> bool {
    while let (Some(length), Some(kind)) = (number32(rest, 0), number16(rest, 4)) {
        let length = length as usize;
        let Some(message) = rest.get(HEADER..length) else {
            return true;
        };
        match kind {
            DONE | ERROR => return true,
            RTM_NEWNEIGH => macs.extend(read_neighbour(message)),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

fn read_neighbour(message: &[u8]) -> Option<(IpAddr, Mac)> {
    if number16(message, 8)? & NUD_USELESS != 0 {
        return None;
    }
    let (mut ip, mut mac) = (None, None);
    let mut rest = message.get(NEIGHBOUR..)?;
    while let (Some(length), Some(kind)) = (number16(rest, 0), number16(rest, 2)) {
        let length = usize::from(length);
        let value = rest.get(4..length)?;
        match kind {
            NDA_DST => ip = read_ip(value),
            NDA_LLADDR => mac = <[u8; 6]>::try_from(value).ok().map(Mac),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((ip?, mac?))
}

fn read_ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    let octets = <[u8; 16]>::try_from(value).ok()?;
    Some(Ipv6Addr::from(octets).into())
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(bytes))
}

fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, state: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![0; NEIGHBOUR];
        body[8..10].copy_from_slice(&state.to_ne_bytes());
        body.extend(attributes.concat());
        let length = u32::try_from(HEADER + body.len()).expect("short");
        let mut bytes = vec![0; HEADER];
        bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn neighbours_are_read_and_useless_ones_passed_over() {
        let mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
        let reachable = message(
            RTM_NEWNEIGH,
            0x02,
            &[
                attribute(NDA_LLADDR, &mac),
                attribute(NDA_DST, &[192, 0, 2, 7]),
            ],
        );
        let failed = message(
            RTM_NEWNEIGH,
            0x20,
            &[
                attribute(NDA_DST, &[192, 0, 2, 8]),
                attribute(NDA_LLADDR, &mac),
            ],
        );
        let bare = message(RTM_NEWNEIGH, 0x02, &[attribute(NDA_DST, &[192, 0, 2, 9])]);
        let mut macs = HashMap::new();
        assert!(!read_messages(
            &[reachable, failed, bare].concat(),
            &mut macs
        ));
        let expected = ("192.0.2.7".parse().expect("an address"), Mac(mac));
        assert_eq!(macs.into_iter().collect::<Vec<_>>(), [expected]);
        assert!(read_messages(&message(DONE, 0, &[]), &mut HashMap::new()));
    }

    #[test]
    fn cut_messages_end_quietly() {
        let whole = message(
            RTM_NEWNEIGH,
            0x02,
            &[
                attribute(NDA_DST, &[192, 0, 2, 7]),
                attribute(NDA_LLADDR, &[1; 6]),
            ],
        );
        for length in 0..whole.len() {
            let mut macs = HashMap::new();
            read_messages(&whole[..length], &mut macs);
            assert!(macs.is_empty(), "{length}");
        }
        // A length of zero must not loop for ever.
        assert!(read_messages(&[0; 64], &mut HashMap::new()));
    }

    #[test]
    fn strangers_do_not_keep_us_asking() {
        let mut table = Table::default();
        let now = Nanos::from_secs(1000);
        let asked = (0..1000).filter(|_| table.may_ask(now)).count() as u64;
        assert_eq!(asked, NEIGHBOURS_BURST);
        assert!(table.may_ask(now + NEIGHBOURS_INTERVAL));
    }

    #[test]
    fn the_kernel_answers() {
        ask_kernel().expect("a table, maybe an empty one");
    }
}
