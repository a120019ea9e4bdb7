//! Opens and binds the sockets of all shards.
//! It never joins the port group of another server by accident: the first socket of a group is bound
//! alone, unless the operator says that there is a predecessor.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use socket2::{Domain, SockAddr, Socket, Type};

use super::options;
use super::sockets::{BindError, Listen, Plan, Role, Sockets};
use super::steer;
use crate::endpoint::SocketId;
use crate::limits::{ACKS_BUFFER, BIND_TRIES, BIND_TRY_MILLIS, RECEIVE_BUFFER, SEND_BUFFER};

/// The sockets of every shard.
///
/// # Errors
/// When an address cannot be bound. One that a predecessor is just giving up is waited for.
pub fn bind(plan: &Plan) -> Result<Vec<Sockets>, BindError> {
    bind_all(plan, Group::New)
}

/// The same, beside a predecessor of this user that still serves on the addresses: from then on both
/// get requests, until it leaves. Where there is none, it is as [`bind`].
///
/// # Errors
/// When an address cannot be bound, because another user's program or one of another kind has it.
pub fn join(plan: &Plan) -> Result<Vec<Sockets>, BindError> {
    bind_all(plan, Group::Any)
}

/// Whose port group the first socket of an address may join.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    New,
    Any,
}

fn bind_all(plan: &Plan, group: Group) -> Result<Vec<Sockets>, BindError> {
    let mut shards: Vec<Sockets> = (0..plan.shards.max(1))
        .map(|_| Sockets::default())
        .collect();
    for listen in &plan.listen {
        bind_address(plan, *listen, group, &mut shards).or_else(|failure| {
            let missing = matches!(
                failure.error.raw_os_error(),
                Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
            );
            if listen.optional && missing {
                Ok(())
            } else {
                Err(failure)
            }
        })?;
    }
    Ok(shards)
}

/// The sockets of shards that listen on sockets which somebody else bound: inetd, systemd. There are
/// as many shards as there are sockets for one address, because shards share none: one, unless a
/// unit names an address several times (with `ReusePort=yes`).
///
/// # Errors
/// When one of them cannot be used, or data sockets cannot be bound beside it.
pub fn adopt(plan: &Plan, inherited: Vec<OwnedFd>) -> Result<Vec<Sockets>, BindError> {
    let mut groups: Vec<(SocketAddr, Vec<OwnedFd>)> = Vec::new();
    for fd in inherited {
        let unknown = SocketAddr::from(([0; 4], 0));
        let addr = local_addr(&fd).map_err(BindError::at(unknown, None))?;
        match groups.iter_mut().find(|(other, _)| *other == addr) {
            Some((_, group)) => group.push(fd),
            None => groups.push((addr, vec![fd])),
        }
    }
    let shards = groups.iter().map(|(_, group)| group.len()).max();
    let mut plan = plan.clone();
    plan.shards = shards
        .and_then(|shards| u16::try_from(shards).ok())
        .unwrap_or(1);
    let mut shards: Vec<Vec<(SocketAddr, OwnedFd)>> = Vec::new();
    shards.resize_with(plan.shards.into(), Vec::new);
    for (addr, group) in groups {
        for (shard, fd) in shards.iter_mut().zip(group) {
            shard.push((addr, fd));
        }
    }
    let adopted: Vec<Sockets> = (0..)
        .zip(shards)
        .map(|(shard, inherited)| adopt_one(&plan, shard, inherited))
        .collect::<Result<_, _>>()?;
    if plan.single_port && plan.shards > 1 {
        steer_adopted(&plan, &adopted)?;
    }
    Ok(adopted)
}

/// The order within a group is that in which systemd bound its members, which is that of the unit.
fn steer_adopted(plan: &Plan, adopted: &[Sockets]) -> Result<(), BindError> {
    let Some(last) = adopted.last() else {
        return Ok(());
    };
    for (id, fd) in last.open() {
        if let Some(addr) = last.layout().addr(id) {
            let fail = BindError::at(addr, None);
            steer::by_source_port(fd, addr, plan.shards).map_err(fail)?;
        }
    }
    Ok(())
}

fn adopt_one(
    plan: &Plan,
    shard: u16,
    inherited: Vec<(SocketAddr, OwnedFd)>,
) -> Result<Sockets, BindError> {
    let mut sockets = Sockets::shared();
    let role = if plan.single_port {
        Role::Both
    } else {
        Role::Listener
    };
    for (addr, fd) in inherited {
        let socket = Socket::from(fd);
        // systemd listens with one socket for both versions of IP, and so must the data socket.
        let dual = addr.is_ipv6() && !socket.only_v6().map_err(BindError::at(addr, None))?;
        prepare(&socket, addr, role).map_err(BindError::at(addr, None))?;
        let listener = sockets.add(socket.into(), role, addr);
        if !plan.single_port {
            let data = add_data_socket(plan, Address { addr, dual }, shard, &mut sockets)?;
            sockets.set_reply(listener, data);
        }
    }
    Ok(sockets)
}

/// What [`open`] does to a socket of its own, as far as that is still possible.
fn prepare(socket: &Socket, addr: SocketAddr, role: Role) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    set_options(socket, addr, role)
}

/// Where a data socket is bound.
#[derive(Clone, Copy)]
struct Address {
    addr: SocketAddr,
    /// An IPv6 socket that speaks IPv4, too.
    dual: bool,
}

/// One listening address: a group of sockets, a member for each shard, and a data socket beside each.
fn bind_address(
    plan: &Plan,
    listen: Listen,
    group: Group,
    shards: &mut [Sockets],
) -> Result<(), BindError> {
    let role = if plan.single_port {
        Role::Both
    } else {
        Role::Listener
    };
    let mut addr = listen.addr;
    for (index, shard) in (0_u16..).zip(shards.iter_mut()) {
        let fail = |addr| BindError::at(addr, None);
        let join = index > 0 || group == Group::Any;
        let socket = retry(|| open_listener(addr, role, join)).map_err(fail(addr))?;
        addr = local_addr(&socket).map_err(fail(addr))?;
        let listener = shard.add(socket, role, addr);
        if !plan.single_port {
            let data = add_data_socket(plan, Address { addr, dual: false }, index, shard)?;
            shard.set_reply(listener, data);
        } else if plan.shards > 1
            && index + 1 == plan.shards
            && let Some(socket) = shard.fd(listener)
        {
            steer::by_source_port(socket, addr, plan.shards).map_err(fail(addr))?;
        }
    }
    Ok(())
}

/// The first member is bound without `SO_REUSEPORT`, which fails if anybody else has the port, and
/// opens the group to the others only afterwards.
fn open_listener(addr: SocketAddr, role: Role, join: bool) -> io::Result<OwnedFd> {
    let socket = open(addr, role)?;
    if join {
        options::set(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    socket.bind(&SockAddr::from(addr))?;
    if !join {
        options::set(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    Ok(socket.into())
}

/// One and no more: with two of them a turn reads and sends by twice as many system calls, for half as
/// many packets each.
fn add_data_socket(
    plan: &Plan,
    Address { mut addr, dual }: Address,
    shard: u16,
    sockets: &mut Sockets,
) -> Result<SocketId, BindError> {
    let fail = |addr| BindError::at(addr, plan.data_ports);
    for port in data_ports(plan, shard) {
        addr.set_port(port);
        match open_data(addr, dual) {
            Ok((socket, bound)) => return Ok(sockets.add(socket, Role::Data, bound)),
            // Another program's port within the range: the next one will do.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(fail(addr)(error)),
        }
    }
    let none = io::Error::from_raw_os_error(libc::EADDRINUSE);
    Err(fail(addr)(none))
}

/// Ports to try: this shard's share of the range, or "any".
fn data_ports(plan: &Plan, shard: u16) -> impl Iterator<Item = u16> {
    let (low, high) = plan
        .data_ports
        .map_or((0, 0), |(low, high)| (low.saturating_add(shard), high));
    (low..=high).step_by(usize::from(plan.shards.max(1)))
}

fn open_data(addr: SocketAddr, dual: bool) -> io::Result<(OwnedFd, SocketAddr)> {
    let socket = open(addr, Role::Data)?;
    if dual {
        socket.set_only_v6(false)?;
    }
    socket.bind(&SockAddr::from(addr))?;
    let fd = OwnedFd::from(socket);
    let bound = local_addr(&fd)?;
    Ok((fd, bound))
}

fn open(addr: SocketAddr, role: Role) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(addr), kind, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_options(&socket, addr, role)?;
    Ok(socket)
}

fn set_options(socket: &Socket, addr: SocketAddr, role: Role) -> io::Result<()> {
    let receive = if role.carries_data() {
        ACKS_BUFFER
    } else {
        RECEIVE_BUFFER
    };
    set_buffer(socket, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, receive)?;
    set_buffer(socket, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
    match addr.ip() {
        IpAddr::V4(_) => set_options_v4(socket, role),
        IpAddr::V6(_) => set_options_v6(socket, role),
    }
}

/// Packets that may not be fragmented need no identification, which takes the kernel up to 5 % of a
/// packet: it keeps one for each pair of addresses. One that is too long for its path comes back, and
/// its socket then [lets packets be fragmented](options::let_fragment).
fn set_options_v4(socket: &Socket, role: Role) -> io::Result<()> {
    let set = |name, value| options::set(socket, libc::IPPROTO_IP, name, value);
    set(libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    if role.listens() {
        set(libc::IP_PKTINFO, 1)?;
    }
    if role.carries_data() {
        set(libc::IP_RECVERR, 1)?;
    }
    Ok(())
}

/// Blocks larger than the path's MTU are fragmented rather than refused.
fn set_options_v6(socket: &Socket, role: Role) -> io::Result<()> {
    let set = |name, value| options::set(socket, libc::IPPROTO_IPV6, name, value);
    set(libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_WANT)?;
    if role.listens() {
        set(libc::IPV6_RECVPKTINFO, 1)?;
    }
    if role.carries_data() {
        set(libc::IPV6_RECVERR, 1)?;
    }
    Ok(())
}

/// Beyond the sysctl's limit where we may, else up to it.
fn set_buffer(socket: &Socket, force: i32, plain: i32, size: usize) -> io::Result<()> {
    let size = i32::try_from(size).unwrap_or(i32::MAX);
    options::set(socket, libc::SOL_SOCKET, force, size)
        .or_else(|_| options::set(socket, libc::SOL_SOCKET, plain, size))
}

fn local_addr(fd: &OwnedFd) -> io::Result<SocketAddr> {
    let addr = rustix::net::getsockname(fd.as_fd())?;
    SocketAddr::try_from(addr).map_err(io::Error::from)
}

/// An io_uring's socket outlives its process by some milliseconds.
fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..BIND_TRIES {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                thread::sleep(Duration::from_millis(BIND_TRY_MILLIS));
            }
            result => return result,
        }
    }
    attempt()
}
