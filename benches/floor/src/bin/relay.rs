//! A bad network between a server and its clients, each in a namespace behind a TUN device.
//! Never opens a device: `benches/bad-networks` does, and hands them over.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use floor::relay::link::{Bottleneck, Counts, Habits, Link};
use floor::relay::packet::{Client, Way, client};

/// Carries packets until standard input is closed; then prints how many passed, were lost and found a queue full.
#[derive(Parser)]
struct Args {
    /// The server's device, open and not blocking.
    #[arg(long)]
    server: RawFd,
    /// The clients' device.
    #[arg(long)]
    clients: RawFd,
    /// Megabits a second of the link towards each client; without it they are not limited.
    #[arg(long)]
    megabits: Option<f64>,
    /// Packets that its queue holds.
    #[arg(long, default_value_t = 64)]
    queue: usize,
    /// What the distance alone takes, there and back.
    #[arg(long, default_value_t = 0)]
    round_trip_micros: u64,
    /// Chance that a packet is lost, from 0 to 1, in each direction.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The larger of what a device gives at once: MTUs here are 1,500.
const PACKET_MAX: usize = 2_048;
/// Packets taken from one device before the other has its turn.
const BATCH: usize = 64;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(Counts {
            passed,
            lost,
            overflowed,
        }) => {
            println!("{passed} {lost} {overflowed}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("relay: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<Counts> {
    // SAFETY: the caller hands both over, and nothing else here owns them.
    let [server, clients] = [args.server, args.clients].map(|fd| unsafe { File::from_raw_fd(fd) });
    let mut relay = Relay::new(args);
    loop {
        relay.deliver(&server, &clients)?;
        if !wait(&server, &clients, relay.next_in())? {
            return Ok(relay.counts);
        }
        relay.collect(&server, Way::ToClient)?;
        relay.collect(&clients, Way::ToServer)?;
    }
}

/// A packet under way: when it arrives, then in the order of their coming.
type Parcel = Reverse<(Duration, u64, bool, Vec<u8>)>;

struct Relay {
    start: Instant,
    habits: [Habits; 2],
    seed: u64,
    links: HashMap<(Client, Way), Link>,
    under_way: BinaryHeap<Parcel>,
    collected: u64,
    counts: Counts,
}

impl Relay {
    fn new(args: &Args) -> Self {
        let back = Habits {
            loss: args.loss,
            bottleneck: None,
            delay: Duration::from_micros(args.round_trip_micros) / 2,
        };
        let forth = Habits {
            bottleneck: args.megabits.map(|megabits| Bottleneck {
                bits_per_second: megabits * 1e6,
                queue: args.queue,
            }),
            ..back
        };
        Self {
            start: Instant::now(),
            habits: [forth, back],
            seed: args.seed,
            links: HashMap::new(),
            under_way: BinaryHeap::new(),
            collected: 0,
            counts: Counts::default(),
        }
    }

    fn collect(&mut self, mut device: &File, way: Way) -> io::Result<()> {
        let mut packet = [0; PACKET_MAX];
        for _ in 0..BATCH {
            match device.read(&mut packet) {
                Ok(len) => self.take(&packet[..len], way),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn take(&mut self, packet: &[u8], way: Way) {
        let Some(client) = client(packet, way) else {
            return;
        };
        // Clients in the order of their coming, whatever their ports.
        let (habits, seed) = (
            self.habits[way as usize],
            self.seed << 32 | self.links.len() as u64,
        );
        let link = self.links.entry((client, way));
        let link = link.or_insert_with(|| Link::new(habits, seed));
        let now = self.start.elapsed();
        if let Some(at) = link.pass(now, packet.len(), &mut self.counts) {
            self.collected += 1;
            let to_client = way == Way::ToClient;
            let parcel = (at, self.collected, to_client, packet.to_vec());
            self.under_way.push(Reverse(parcel));
        }
    }

    /// Hands over what has arrived.
    fn deliver(&mut self, server: &File, clients: &File) -> io::Result<()> {
        while self.next_in() == Some(Duration::ZERO) {
            let Some(Reverse((_, _, to_client, packet))) = self.under_way.pop() else {
                break;
            };
            let mut device = if to_client { clients } else { server };
            device.write_all(&packet)?;
        }
        Ok(())
    }

    fn next_in(&self) -> Option<Duration> {
        let Reverse((at, ..)) = self.under_way.peek()?;
        Some(at.saturating_sub(self.start.elapsed()))
    }
}

/// Until a packet comes or the next one is due. `false` when standard input is closed.
fn wait(server: &File, clients: &File, next: Option<Duration>) -> io::Result<bool> {
    let mut fds = [server.as_raw_fd(), clients.as_raw_fd(), 0].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let time = next.map(|next| libc::timespec {
        tv_sec: next.as_secs() as libc::time_t,
        tv_nsec: next.subsec_nanos().into(),
    });
    let time = time
        .as_ref()
        .map_or(std::ptr::null(), |time| &raw const *time);
    // SAFETY: three entries that live until the call returns, and a time that does or none.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), 3, time, std::ptr::null()) };
    if ready < 0 {
        let e = io::Error::last_os_error();
        return if e.kind() == io::ErrorKind::Interrupted {
            Ok(true)
        } else {
            Err(e)
        };
    }
    Ok(fds[2].revents == 0)
}
