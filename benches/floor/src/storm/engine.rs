//! Drives all clients: who asks when, what is lost, who waited too long, when the run is over.
//! Never interprets a packet; that is the client's part.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::batch::{Packet, Port};
use super::client::{Client, Failure, Step, Wish};
use super::random::Random;
use super::report::Report;
use crate::wire;

/// How much is asked for in total.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Closed loop until this many transfers have begun.
    Transfers(u64),
    /// Closed loop for this long.
    For(Duration),
    /// Every client asks once, all at the same instant.
    AllAtOnce,
}

pub struct Setup {
    pub server: SocketAddrV4,
    pub file: String,
    pub wish: Wish,
    pub clients: u32,
    pub sockets: usize,
    pub load: Load,
    pub loss_in: f64,
    pub loss_out: f64,
    pub seed: u64,
    pub client_timeout: Duration,
    pub client_repeats: u32,
    /// How long transfers may still run after `Load::For` ended.
    pub drain: Duration,
}

/// Where each client stands, apart from the protocol.
#[derive(Clone)]
struct Seat {
    /// The socket of the current transfer; the next transfer takes the next one.
    port: usize,
    running: bool,
    repeats: u32,
    asked: Instant,
    deadline: Instant,
}

pub struct Engine<'a> {
    setup: &'a Setup,
    request: Vec<u8>,
    ports: Vec<Port>,
    /// A state machine for each client and socket: an old transfer can still answer a late packet.
    clients: Vec<Client>,
    seats: Vec<Seat>,
    random: Random,
    begun: u64,
    running: u64,
    report: Report,
}

/// What the packets of one receive call led to: (client, socket, server port, step).
struct Due {
    client: usize,
    from: SocketAddrV4,
    step: Step,
    first: bool,
}

/// Clients live in 127.16.0.1 and up, away from 127.0.0.1 and from the broadcast address.
const FIRST_CLIENT: u32 = 0x7f10_0001;

impl<'a> Engine<'a> {
    pub fn new(setup: &'a Setup) -> io::Result<Engine<'a>> {
        let now = Instant::now();
        let trains = setup.wish.windowsize > 1;
        let ports: io::Result<Vec<Port>> = (0..setup.sockets)
            .map(|_| Port::open(setup.wish.blksize, trains, setup.wish.content.is_some()))
            .collect();
        let seat = Seat {
            port: 0,
            running: false,
            repeats: 0,
            asked: now,
            deadline: now,
        };
        Ok(Engine {
            setup,
            request: setup.wish.request(&setup.file),
            ports: ports?,
            clients: vec![Client::idle(); setup.clients as usize * setup.sockets],
            // Spread over the sockets from the start.
            seats: (0..setup.clients as usize)
                .map(|i| Seat {
                    port: i % setup.sockets,
                    ..seat.clone()
                })
                .collect(),
            random: Random::new(setup.seed),
            begun: 0,
            running: 0,
            report: Report::new(),
        })
    }

    pub fn run(mut self) -> io::Result<Report> {
        let start = Instant::now();
        let total = match self.setup.load {
            Load::Transfers(n) => n,
            Load::For(_) => u64::MAX,
            Load::AllAtOnce => self.setup.clients.into(),
        };
        let (stop, cut) = match self.setup.load {
            Load::For(time) => (Some(start + time), Some(start + time + self.setup.drain)),
            _ => (None, None),
        };
        for client in 0..self.seats.len() {
            if self.begun < total {
                self.ask(client, Instant::now())?;
            }
        }
        self.flush()?;
        let tick = (self.setup.client_timeout / 50)
            .clamp(Duration::from_millis(1), Duration::from_millis(20));
        let mut next_tick = Instant::now() + tick;
        let mut due = Vec::with_capacity(8192);
        while self.running > 0 {
            self.wait(tick)?;
            let now = Instant::now();
            let open = stop.is_none_or(|stop| now < stop);
            for port in 0..self.ports.len() {
                self.receive(port, &mut due)?;
                for item in due.drain(..) {
                    let ended = self.act(port, &item, Instant::now)?;
                    if ended && open && self.begun < total {
                        self.ask(item.client, Instant::now())?;
                    }
                }
            }
            self.flush()?;
            if now >= next_tick {
                next_tick = now + tick;
                self.overdue(now, cut, open, total)?;
                self.flush()?;
            }
        }
        self.report.wall = start.elapsed();
        Ok(self.report)
    }

    fn slot(&self, client: usize, port: usize) -> usize {
        client * self.ports.len() + port
    }

    fn ask(&mut self, client: usize, now: Instant) -> io::Result<()> {
        let seat = &mut self.seats[client];
        seat.port = (seat.port + 1) % self.ports.len();
        seat.repeats = 0;
        seat.running = true;
        (seat.asked, seat.deadline) = (now, now + self.setup.client_timeout);
        let port = seat.port;
        let slot = self.slot(client, port);
        self.clients[slot].ask();
        self.begun += 1;
        self.running += 1;
        self.send_request(client, port)
    }

    fn send_request(&mut self, client: usize, port: usize) -> io::Result<()> {
        if self.random.chance(self.setup.loss_out) {
            return Ok(());
        }
        self.ports[port].send(address(client), self.setup.server, &self.request)
    }

    fn send(&mut self, client: usize, port: usize, to: u16, packet: &[u8]) -> io::Result<()> {
        if self.random.chance(self.setup.loss_out) {
            return Ok(());
        }
        self.ports[port].send(
            address(client),
            SocketAddrV4::new(*self.setup.server.ip(), to),
            packet,
        )
    }

    /// Lets the clients handle what this socket has; collects what they want to happen.
    fn receive(&mut self, port: usize, due: &mut Vec<Due>) -> io::Result<()> {
        let (setup, sockets) = (self.setup, self.ports.len());
        let (clients, random, tally) =
            (&mut self.clients, &mut self.random, &mut self.report.tally);
        let mut strangers = 0;
        self.ports[port].receive(|packet: Packet<'_>| {
            let client = u32::from(packet.client).wrapping_sub(FIRST_CLIENT);
            if client >= setup.clients || packet.from.ip() != setup.server.ip() {
                strangers += 1;
                return;
            }
            if random.chance(setup.loss_in) {
                return;
            }
            let machine = &mut clients[client as usize * sockets + port];
            let before = machine.blocks();
            let step = machine.handle(
                &setup.wish,
                packet.from.port(),
                packet.bytes,
                packet.len,
                tally,
            );
            let first = before == 0 && machine.blocks() == 1;
            if step != Step::Nothing {
                due.push(Due {
                    client: client as usize,
                    from: packet.from,
                    step,
                    first,
                });
            }
        })?;
        self.report.strangers += strangers;
        Ok(())
    }

    /// True when the client's current transfer ended.
    fn act(&mut self, port: usize, due: &Due, clock: impl Fn() -> Instant) -> io::Result<bool> {
        let (client, to) = (due.client, due.from.port());
        let current = self.seats[client].running && self.seats[client].port == port;
        if current && due.step != Step::Foreign {
            let now = clock();
            let seat = &mut self.seats[client];
            seat.deadline = now + self.setup.client_timeout;
            seat.repeats = 0;
            if due.first {
                self.report.first_byte(now - seat.asked);
            }
        }
        match due.step {
            Step::Nothing | Step::Took => Ok(false),
            Step::Ack(block) => {
                self.send(client, port, to, &wire::header(wire::ACK, block))?;
                Ok(false)
            }
            Step::Foreign => {
                self.send(client, port, to, &wire::error(5, "unknown transfer"))?;
                Ok(false)
            }
            Step::Finished(block) => {
                self.send(client, port, to, &wire::header(wire::ACK, block))?;
                self.end(client, Ok(clock()));
                Ok(true)
            }
            Step::Failed(failure) => {
                if !matches!(failure, Failure::Refused(_)) {
                    self.send(client, port, to, &wire::error(0, "not what was asked for"))?;
                }
                self.end(client, Err(failure));
                Ok(true)
            }
        }
    }

    fn end(&mut self, client: usize, result: Result<Instant, Failure>) {
        let seat = &mut self.seats[client];
        seat.running = false;
        self.running -= 1;
        match result {
            Ok(now) => self.report.ok(now - seat.asked),
            Err(failure) => self.report.failed(failure),
        }
    }

    /// Repeats the last packet of clients that waited too long; gives up on those that waited too often.
    fn overdue(
        &mut self,
        now: Instant,
        cut: Option<Instant>,
        open: bool,
        total: u64,
    ) -> io::Result<()> {
        let over = cut.is_some_and(|cut| now >= cut);
        for client in 0..self.seats.len() {
            let seat = &self.seats[client];
            if !seat.running || (now < seat.deadline && !over) {
                continue;
            }
            let (port, repeats) = (seat.port, seat.repeats);
            let slot = self.slot(client, port);
            let (ack, peer) = (self.clients[slot].last_ack(), self.clients[slot].peer());
            if over || repeats >= self.setup.client_repeats {
                self.clients[slot].abandon();
                if peer != 0 {
                    self.send(client, port, peer, &wire::error(0, "gave up"))?;
                }
                self.end(
                    client,
                    Err(if over {
                        Failure::CutOff
                    } else {
                        Failure::Silence
                    }),
                );
                if open && self.begun < total {
                    self.ask(client, now)?;
                }
                continue;
            }
            let seat = &mut self.seats[client];
            seat.repeats += 1;
            seat.deadline = now + self.setup.client_timeout;
            match ack {
                Some(block) => {
                    self.report.acks_after_silence += 1;
                    self.send(client, port, peer, &wire::header(wire::ACK, block))?;
                }
                None => {
                    self.report.requests_repeated += 1;
                    self.send_request(client, port)?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ports.iter_mut().try_for_each(Port::flush)
    }

    fn wait(&self, tick: Duration) -> io::Result<()> {
        let mut polls: Vec<libc::pollfd> = self
            .ports
            .iter()
            .map(|port| libc::pollfd {
                fd: port.fd(),
                events: libc::POLLIN,
                revents: 0,
            })
            .collect();
        // SAFETY: the slice of pollfd lives until the call returns.
        let rc = unsafe {
            libc::poll(
                polls.as_mut_ptr(),
                polls.len() as libc::nfds_t,
                tick.as_millis() as i32,
            )
        };
        match io::Error::last_os_error() {
            error if rc < 0 && error.raw_os_error() != Some(libc::EINTR) => Err(error),
            _ => Ok(()),
        }
    }
}

fn address(client: usize) -> Ipv4Addr {
    Ipv4Addr::from(FIRST_CLIENT + client as u32)
}
