//! Clients in lock-step beside greedy ones with windows of 64: how long does a block take those?
//! Never lets its own greedy clients hold up the others: those in lock-step are read first.

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use floor::socket::{UDP_GRO, bind, set};

/// Prints p50 and p99 of the time from an ACK in lock-step to the next block, in microseconds, and the blocks a second of
/// both kinds of clients.
#[derive(Parser)]
struct Args {
    server: SocketAddrV4,
    /// A file of less than 65,535 blocks; fetched again and again.
    #[arg(long)]
    file: String,
    #[arg(long, default_value_t = 50)]
    lock_step: usize,
    #[arg(long, default_value_t = 50)]
    greedy: usize,
    /// Greedy clients take a train in one piece (UDP_GRO); otherwise the server's kernel cuts it.
    #[arg(long)]
    merged: bool,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

const BLKSIZE: usize = 1_468;
const PACKET: usize = BLKSIZE + 4;
const WINDOW: u16 = 64;
/// The start is not counted.
const WARM_UP: Duration = Duration::from_millis(500);
/// What a client waits before it repeats itself: longer than any resend of the server.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("beside: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let mut clients = (0..args.lock_step + args.greedy)
        .map(|nth| Client::start(args, nth >= args.lock_step))
        .collect::<io::Result<Vec<_>>>()?;
    let mut fds: Vec<_> = clients.iter().map(Client::waits).collect();
    let begin = Instant::now();
    let end = begin + WARM_UP + Duration::from_secs_f64(args.seconds);
    let mut seen = Seen::default();
    while Instant::now() < end {
        poll(&mut fds)?;
        let counted = begin.elapsed() > WARM_UP;
        // The first are those in lock-step.
        for (client, fd) in clients.iter_mut().zip(&mut fds) {
            if fd.revents != 0 {
                let mut brought = Seen::default();
                client.read(args, &mut brought)?;
                *fd = client.waits();
                if counted {
                    seen.add(brought);
                }
            } else if client.sent_at.elapsed() > PATIENCE {
                client.repeat(args)?;
            }
        }
    }
    seen.print(args);
    Ok(())
}

#[derive(Default)]
struct Seen {
    /// Nanoseconds from an ACK in lock-step to the next block.
    times: Vec<u64>,
    greedy_blocks: u64,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.greedy_blocks += other.greedy_blocks;
    }

    fn print(&mut self, args: &Args) {
        self.times.sort_unstable();
        let at = |percent: usize| {
            let index = self.times.len() * percent / 100;
            self.times.get(index).map_or(0, |nanos| nanos / 1_000)
        };
        println!(
            "{} {} {:.0} {:.0}",
            at(50),
            at(99),
            self.times.len() as f64 / args.seconds,
            self.greedy_blocks as f64 / args.seconds
        );
    }
}

struct Client {
    socket: UdpSocket,
    greedy: bool,
    /// The transfer's port, once it is known.
    server: Option<SocketAddr>,
    next: u16,
    in_window: u16,
    sent_at: Instant,
}

impl Client {
    fn start(args: &Args, greedy: bool) -> io::Result<Self> {
        let socket = bind(SocketAddrV4::new([127, 0, 0, 1].into(), 0))?;
        socket.set_nonblocking(true)?;
        if greedy && args.merged {
            set(&socket, libc::SOL_UDP, UDP_GRO, 1)?;
        }
        let mut client = Self {
            socket,
            greedy,
            server: None,
            next: 1,
            in_window: 0,
            sent_at: Instant::now(),
        };
        client.ask(args)?;
        Ok(client)
    }

    fn waits(&self) -> libc::pollfd {
        libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        }
    }

    fn ask(&mut self, args: &Args) -> io::Result<()> {
        let window = if self.greedy { WINDOW } else { 1 };
        let file = &args.file;
        let request = format!("\0\x01{file}\0octet\0blksize\0{BLKSIZE}\0windowsize\0{window}\0");
        self.socket.send_to(request.as_bytes(), args.server)?;
        self.sent_at = Instant::now();
        Ok(())
    }

    fn ack(&mut self) -> io::Result<()> {
        let Some(server) = self.server else {
            return Ok(());
        };
        let [high, low] = (self.next - 1).to_be_bytes();
        self.in_window = 0;
        self.socket.send_to(&[0, 4, high, low], server)?;
        self.sent_at = Instant::now();
        Ok(())
    }

    fn repeat(&mut self, args: &Args) -> io::Result<()> {
        if self.server.is_some() {
            return self.ack();
        }
        self.ask(args)
    }

    /// One block in lock-step; of a window as much as comes in two messages, so that nobody waits for it.
    fn read(&mut self, args: &Args, seen: &mut Seen) -> io::Result<()> {
        for _ in 0..if self.greedy { 2 } else { 1 } {
            let Some(message) = receive(&self.socket)? else {
                return Ok(());
            };
            self.server = Some(message.from);
            match message.head {
                [0, 6, ..] => self.ack()?,
                [0, 3, high, low] if u16::from_be_bytes([high, low]) == self.next => {
                    let last = self.take(message.len, seen)?;
                    if last {
                        // A port of its own for each transfer.
                        *self = Self::start(args, self.greedy)?;
                        return Ok(());
                    }
                }
                [0, 5, ..] => return Err(io::Error::other("the server sent an ERROR")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Says whether it was the end of the file.
    fn take(&mut self, len: usize, seen: &mut Seen) -> io::Result<bool> {
        let blocks = len.div_ceil(PACKET) as u16;
        let last = !len.is_multiple_of(PACKET);
        self.next = self.next.wrapping_add(blocks);
        self.in_window += blocks;
        if self.greedy {
            seen.greedy_blocks += u64::from(blocks);
        } else {
            seen.times.push(self.sent_at.elapsed().as_nanos() as u64);
        }
        if !self.greedy || self.in_window >= WINDOW || last {
            self.ack()?;
        }
        Ok(last)
    }
}

struct Message {
    from: SocketAddr,
    head: [u8; 4],
    /// Of all that came in one piece.
    len: usize,
}

/// Looks at the head alone: what nobody compares need not be copied.
fn receive(socket: &UdpSocket) -> io::Result<Option<Message>> {
    let mut head = [0; 4];
    // SAFETY: sockaddr_in is plain data; all zero is a valid value.
    let mut name: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    let mut name_len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the buffer and the name live until the call returns, and their lengths are right.
    let len = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            head.as_mut_ptr().cast(),
            head.len(),
            libc::MSG_TRUNC | libc::MSG_DONTWAIT,
            (&raw mut name).cast(),
            &raw mut name_len,
        )
    };
    let Ok(len) = usize::try_from(len) else {
        let e = io::Error::last_os_error();
        return match e.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(e),
        };
    };
    let ip = name.sin_addr.s_addr.to_ne_bytes();
    let from = SocketAddr::from((ip, u16::from_be(name.sin_port)));
    Ok(Some(Message { from, head, len }))
}

fn poll(fds: &mut [libc::pollfd]) -> io::Result<()> {
    // SAFETY: the slice lives until the call returns.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, 20) };
    if ready < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
