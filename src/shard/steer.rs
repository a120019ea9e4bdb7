//! Steers the datagrams of a single-port group: a client's port decides which shard hears it.
//! It is never used with data ports, where the kernel finds the shard by itself.

use core::net::SocketAddr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `BPF_LD | BPF_H | BPF_ABS`: load 16 bits from the packet.
const LOAD_HALF: u16 = 0x28;
/// `BPF_ALU | BPF_MOD | BPF_K`: remainder by a constant.
const REMAINDER: u16 = 0x94;
/// `BPF_RET | BPF_A`: the answer is the accumulator.
const RETURN: u16 = 0x16;
/// `SKF_NET_OFF`: offsets from here count from the IP header.
const FROM_IP_HEADER: u32 = (-0x10_0000_i32).cast_unsigned();

/// Makes the group that `socket` belongs to give each datagram to member `source port % members`.
///
/// The kernel's own choice hashes the destination as well. A broadcast request and the ACKs sent
/// to the server's own address would then meet different shards.
///
/// # Errors
/// When the kernel refuses the filter.
pub fn by_source_port(socket: impl AsFd, addr: SocketAddr, members: u16) -> io::Result<()> {
    // The source port is the first field of the UDP header. Hosts do not send IP options.
    let ip_header = if addr.is_ipv4() { 20 } else { 40 };
    let mut program = [
        instruction(LOAD_HALF, FROM_IP_HEADER + ip_header),
        instruction(REMAINDER, u32::from(members)),
        instruction(RETURN, 0),
    ];
    let filter = libc::sock_fprog {
        len: 3,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program that `filter` points to during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const fn instruction(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}
