//! The loop of one shard: receive, hand to the endpoint, send what it says, sleep.
//! It never waits for anything but its backend.

use core::net::IpAddr;
use std::io;
use std::mem;
use std::sync::Arc;

use super::backend::{Arrival, Backend, Event};
use super::leaving::{Leaving, Step};
use super::mailbox::{Address, Letter, Mailbox, Order};
use super::mtu::Mtus;
use super::outbox::Outbox;
use super::outside::Outside;
use super::punctual::Punctual;
use super::secret::secret_hash;
use super::sockets::Layout;
use super::streams::{self, Forwarded};
use crate::clock;
use crate::endpoint::{
    self, Datagram, Endpoint, GroupRange, Guard, Keyed, Local, Peer, Policy, Refusal, Route,
    SocketId, Ticket,
};
use crate::files::upload::{self, News, UploadError, What};
use crate::files::{Finder, Image, Opened};
use crate::limits::{HEARTBEAT, LETTERS_PER_TURN, PUBLISH_PAUSE};
use crate::observe::live::Lens;
use crate::transfer::{MAX_BLKSIZE, Nanos};

/// Everything a shard needs beside its kernel interface.
pub struct Worker {
    pub mailbox: Mailbox,
    /// Every shard's address by number, this one's too.
    pub shards: Vec<Address>,
    pub sockets: Layout,
    pub outside: Outside,
    /// Where the transfers under way are shown, if somebody wants to see them.
    pub lens: Lens,
    /// Limits that hold for all shards together.
    pub guard: Arc<Guard<Keyed>>,
    pub settings: Settings,
}

/// What the operator chose, the same for all shards.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub policy: Policy,
    /// Overrides what the interface's MTU allows.
    pub max_blksize: Option<u16>,
    /// How long running transfers may take after SIGTERM.
    pub drain_timeout: Nanos,
    /// This shard's number and how many there are, to agree on who answers a broadcast.
    pub shard: usize,
    pub shards: usize,
}

/// What can be changed while a shard runs. A request is answered by the terms that were in force when
/// it came; its transfer keeps them to its end.
#[derive(Debug)]
pub struct Terms {
    pub finder: Arc<Finder>,
    pub guard: Arc<Guard<Keyed>>,
    pub max_windowsize: u16,
    pub max_blksize: Option<u16>,
    pub drain_timeout: Nanos,
    /// What may be uploaded; None: nothing.
    pub upload: Option<Arc<upload::Policy>>,
}

impl Settings {
    /// The group addresses of this shard alone.
    fn own_groups(&self) -> Option<GroupRange> {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let groups = self.policy.groups?;
        Some(groups.share(number(self.shard), number(self.shards)))
    }
}

impl Worker {
    /// Serves until told to stop.
    ///
    /// # Errors
    /// When the backend no longer works.
    pub fn run(self, backend: &mut dyn Backend) -> io::Result<()> {
        Loop::new(self).run(backend)
    }
}

/// The parts that events act on.
struct Loop {
    mailbox: Mailbox,
    endpoint: Transfers,
    outside: Outside,
    desk: Desk,
    lens: Lens,
    /// Letters were left in the mailbox.
    mail_waits: bool,
    punctual: Punctual,
    /// When figures were last published, and whether any may have changed since.
    published_at: Nanos,
    unpublished: bool,
    /// When the kernel was last asked for its drops.
    drops_at: Nanos,
    drain_timeout: Nanos,
    /// How far the shard is on its way to take no more requests.
    leaving: Leaving,
    /// When draining ends, once it has begun.
    drain_until: Option<Nanos>,
}

impl Loop {
    fn new(worker: Worker) -> Self {
        let mut settings = worker.settings;
        settings.policy.groups = settings.own_groups();
        Self {
            mailbox: worker.mailbox,
            endpoint: Endpoint::guarded(settings.policy, worker.guard, secret_hash(), clock::now()),
            outside: worker.outside,
            desk: Desk {
                sockets: worker.sockets,
                mtu: Mtus::default(),
                shards: worker.shards,
                settings,
            },
            lens: worker.lens,
            mail_waits: false,
            punctual: Punctual::default(),
            published_at: Nanos::ZERO,
            unpublished: true,
            drops_at: Nanos::ZERO,
            drain_timeout: settings.drain_timeout,
            leaving: Leaving::NotYet,
            drain_until: None,
        }
    }

    fn run(mut self, backend: &mut dyn Backend) -> io::Result<()> {
        let mut outgoing = Outbox::default();
        self.outside.stats.begin(clock::now());
        while !self.over() {
            mem::swap(&mut outgoing, &mut self.outside.outbox);
            let woken = self.turn(backend, &mut outgoing)?;
            if woken || self.mail_waits {
                self.read_mail(backend)?;
            }
            self.leave(backend)?;
            let now = clock::now();
            let transfers = self.endpoint.active();
            if let Some(due) = self.punctual.due(now, backend, transfers)
                && self.endpoint.advance_to(due, now, &mut self.outside)
            {
                self.punctual.all_ran(now, backend);
            }
            self.send_windows(now);
            self.feed_uploads(now);
            if self.drain_until.is_some_and(|end| now >= end) {
                self.endpoint.abort_all(now, &mut self.outside);
            }
            self.outside.stats.turn(now);
            self.publish(now, backend);
            self.lens.turn(&self.endpoint);
        }
        // The last words to the clients.
        let result = backend.turn(&mut self.outside.outbox, Some(Nanos::ZERO), &mut |_| {});
        self.published_at = Nanos::ZERO;
        self.publish(clock::now(), backend);
        self.outside.stats.end();
        if let Some(line) = backend.counters().zero_copy() {
            let shard = self.desk.settings.shard;
            self.outside
                .records
                .notice(&format!("shard {shard}: {line}"));
        }
        result
    }

    fn over(&self) -> bool {
        self.drain_until.is_some() && self.endpoint.active() == 0
    }

    /// Until when there is nothing to do but to wait.
    fn deadline(&self) -> Option<Nanos> {
        if self.mail_waits || self.outside.interleave.any_waiting() || self.lens.is_busy() {
            return Some(Nanos::ZERO);
        }
        let pause = if self.unpublished {
            PUBLISH_PAUSE
        } else {
            HEARTBEAT
        };
        let heartbeat = self.published_at + pause;
        let leave = self.leaving.deadline().or(self.drain_until);
        let others = self.endpoint.next_deadline().into_iter();
        Some(others.chain(leave).fold(heartbeat, Nanos::min))
    }

    /// Shows what was counted, now and then: no turn pays for it that has packets to send.
    fn publish(&mut self, now: Nanos, backend: &dyn Backend) {
        self.unpublished = now - self.published_at < PUBLISH_PAUSE;
        if self.unpublished {
            return;
        }
        self.published_at = now;
        let stats = &self.outside.stats;
        stats.take(&self.endpoint.counters(), self.endpoint.active());
        let counters = backend.counters();
        stats.truncated.set(counters.truncated);
        stats.send_errors.set(counters.send_errors);
        stats.send_lost.set(counters.lost);
        stats.datagrams_received.set(counters.datagrams_received);
        stats.datagrams_sent.set(counters.datagrams_sent);
        stats.turns.set(counters.turns);
        stats.ring_overflows.set(counters.ring_overflows);
        stats.buffers_exhausted.set(counters.buffers_exhausted);
        stats.congested.set(counters.congested);
        stats.gso_fallbacks.set(counters.gso_fallbacks);
        stats.zero_copy_spared.set(counters.zero_copy_spared);
        stats.zero_copy_copied.set(counters.zero_copy_copied);
        if now - self.drops_at >= HEARTBEAT {
            self.drops_at = now;
            // Sockets that are closed take their count with them.
            let drops = backend.kernel_drops().max(stats.kernel_drops.get());
            stats.kernel_drops.set(drops);
        }
    }

    /// Takes the next step towards draining when it is due.
    fn leave(&mut self, backend: &mut dyn Backend) -> io::Result<()> {
        if self.leaving == Leaving::NotYet {
            return Ok(());
        }
        match self.leaving.after_turn(clock::now(), backend.behind()) {
            Step::Nothing => {}
            Step::CloseListeners => backend.close_listeners()?,
            Step::Drain(since) => {
                self.drain_until = Some(since + self.drain_timeout);
                self.endpoint.drain();
            }
        }
        Ok(())
    }

    /// One turn of the backend. Says whether there is mail.
    fn turn(&mut self, backend: &mut dyn Backend, outgoing: &mut Outbox) -> io::Result<bool> {
        let deadline = self.deadline();
        let (endpoint, outside, desk) = (&mut self.endpoint, &mut self.outside, &mut self.desk);
        let mut woken = false;
        // One reading serves all datagrams that one wait returned.
        let mut arrived = None;
        backend.turn(outgoing, deadline, &mut |event| match event {
            Event::Batch {
                socket,
                peers,
                guesses,
            } => endpoint.foresee(socket, peers, guesses),
            Event::Datagram {
                socket,
                peer,
                local,
                guess,
                bytes,
                ..
            } => {
                let now = *arrived.get_or_insert_with(clock::now);
                if let Some(datagram) = desk.sort(now, socket, peer, local, bytes) {
                    endpoint.foreseen(now, &datagram, guess, outside);
                }
            }
            Event::Unreachable { socket, peer } => match desk.other_owner(socket, peer) {
                Some(owner) => owner.unreachable(peer, socket),
                None => endpoint.unreachable(clock::now(), peer, socket, outside),
            },
            Event::SendFailed {
                ticket,
                unreadable: true,
                ..
            } => endpoint.unreadable(clock::now(), ticket, outside),
            // Lost like any datagram: the transfer's own timer sends it again.
            Event::SendFailed { .. } => {}
            Event::Congested { ticket, blocks } => {
                endpoint.repeat(clock::now(), ticket, blocks, outside);
            }
            Event::Woken => woken = true,
            Event::ZeroCopy(news) => {
                let line = format!("shard {}: {news}", desk.settings.shard);
                outside.records.notice(&line);
            }
        })?;
        Ok(woken)
    }

    fn read_mail(&mut self, backend: &mut dyn Backend) -> io::Result<()> {
        let now = clock::now();
        self.mail_waits = false;
        for count in 1.. {
            let Ok(letter) = self.mailbox.letters.try_recv() else {
                break;
            };
            self.mail_waits = count == LETTERS_PER_TURN;
            match letter {
                Letter::Opened(opened) => self.file_opened(now, opened),
                Letter::Loaded { ticket, unchanged } => {
                    self.outside.verdict = unchanged;
                    self.endpoint.loaded(now, ticket, &mut self.outside);
                    self.outside.verdict = None;
                }
                Letter::Upload(news) => self.upload_news(now, news),
                Letter::Unreachable { peer, socket } => {
                    self.endpoint
                        .unreachable(now, peer, socket, &mut self.outside);
                }
                Letter::Renew(terms, _taken) => self.renew(&terms),
                Letter::Request(request) => self.forwarded(now, &request),
            }
            if self.mail_waits {
                break;
            }
        }
        match self.mailbox.orders.current() {
            Order::Serve => {}
            Order::Drain if self.leaving == Leaving::NotYet => {
                backend.leave_listeners();
                self.leaving = Leaving::Since(clock::now());
            }
            Order::Drain => {}
            Order::Stop => {
                self.leaving = Leaving::Done;
                self.drain_until = Some(now);
                self.endpoint.drain();
            }
        }
        Ok(())
    }

    fn renew(&mut self, terms: &Terms) {
        self.outside.finder = Arc::clone(&terms.finder);
        let guard = Arc::clone(&terms.guard);
        let uploads = self.outside.intake.renew(terms.upload.clone());
        self.endpoint.renew(guard, terms.max_windowsize, uploads);
        self.desk.settings.max_blksize = terms.max_blksize;
        self.drain_timeout = terms.drain_timeout;
    }

    fn forwarded(&mut self, now: Nanos, request: &Forwarded) {
        let Forwarded {
            socket,
            peer,
            arrival,
            bytes,
        } = request;
        if let Some(datagram) = self.desk.sort(now, *socket, *peer, Some(*arrival), bytes) {
            self.endpoint.datagram(now, &datagram, &mut self.outside);
        }
    }

    /// The windows' share of this turn, behind all single blocks.
    fn send_windows(&mut self, now: Nanos) {
        let mut room = self.outside.interleave.begin();
        if self.outside.interleave.any_waiting() {
            self.outside.outbox.begin_windows();
        }
        while let Some((ticket, blocks)) = self.outside.interleave.next(&mut room) {
            self.endpoint.repeat(now, ticket, blocks, &mut self.outside);
        }
        self.outside.interleave.end();
    }

    fn upload_news(&mut self, now: Nanos, News { ticket, what }: News) {
        match what {
            What::Created(result) => self.upload_answered(now, ticket, result, Endpoint::created),
            What::Stored(result) => self.upload_answered(now, ticket, result, Endpoint::stored),
            What::Written(memory) => self.outside.intake.written(ticket, memory),
        }
    }

    /// Invites the next blocks of uploads that waited for memory, as far as there is some.
    fn feed_uploads(&mut self, now: Nanos) {
        while let Some(ticket) = self.outside.intake.next_waiting() {
            self.endpoint.room(now, ticket, &mut self.outside);
        }
    }

    fn upload_answered(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        result: Result<(), UploadError>,
        tell: Tell,
    ) {
        let Err(error) = result else {
            return tell(&mut self.endpoint, now, ticket, Ok(()), &mut self.outside);
        };
        let reason = error.to_string();
        let refusal = Refusal {
            code: error.error_code(),
            text: error.client_text(),
            reason: &reason,
        };
        let (endpoint, outside) = (&mut self.endpoint, &mut self.outside);
        tell(endpoint, now, ticket, Err(refusal), outside);
    }

    fn file_opened(&mut self, now: Nanos, opened: Opened) {
        let ticket = opened.ticket;
        match opened.result {
            Ok(image) => {
                let size = image.size();
                let opened = endpoint::Opened { image, size };
                self.endpoint
                    .opened(now, ticket, Ok(opened), &mut self.outside);
            }
            Err(error) => {
                let reason = error.to_string();
                let refusal = Refusal {
                    code: error.error_code(),
                    text: error.client_text(),
                    reason: &reason,
                };
                self.endpoint
                    .opened(now, ticket, Err(refusal), &mut self.outside);
            }
        }
    }
}

/// How an endpoint is told of an upload.
type Tell = fn(&mut Transfers, Nanos, Ticket, Result<(), Refusal<'_>>, &mut Outside);

type Transfers = Endpoint<Arc<Image>, Keyed>;

/// Sorts what comes in: which socket answers, from which address, with how large a block.
struct Desk {
    sockets: Layout,
    mtu: Mtus,
    shards: Vec<Address>,
    settings: Settings,
}

impl Desk {
    /// `None`: a broadcast that another shard answers, or a request for a stream that another shard
    /// sends, which then has it.
    #[inline]
    fn sort<'a>(
        &mut self,
        now: Nanos,
        socket: SocketId,
        peer: Peer,
        arrival: Option<Arrival>,
        bytes: &'a [u8],
    ) -> Option<Datagram<'a>> {
        if let Some(arrival) = arrival {
            return self.sort_arrival(now, socket, peer, arrival, bytes);
        }
        Some(Datagram {
            route: Route {
                peer,
                local: Local::default(),
                socket,
            },
            listening: false,
            carries_data: true,
            max_blksize: 0,
            bytes,
        })
    }

    /// The same on a listening socket; apart, so that no ACK carries what a request needs.
    #[inline(never)]
    fn sort_arrival<'a>(
        &mut self,
        now: Nanos,
        socket: SocketId,
        peer: Peer,
        arrival: Arrival,
        bytes: &'a [u8],
    ) -> Option<Datagram<'a>> {
        if arrival.broadcast && !self.answers_broadcast(peer) {
            return None;
        }
        let route = match self.stream(bytes) {
            Some(stream) => self.join(stream, socket, peer, arrival, bytes)?,
            None => Route {
                peer,
                local: self.answer_from(socket, &arrival),
                socket: self.sockets.reply_socket(socket),
            },
        };
        Some(Datagram {
            route,
            listening: self.sockets.is_listener(socket),
            carries_data: self.sockets.is_data(socket),
            max_blksize: self.max_blksize(now, arrival.ifindex, peer),
            bytes,
        })
    }

    /// The stream that a request asks for, where there are any.
    fn stream(&self, bytes: &[u8]) -> Option<u64> {
        self.settings.policy.groups?;
        streams::wanted(bytes)
    }

    /// All members of a stream must see it come from one address and port, by the interface at which
    /// they are. Hands the request over where another shard sends the stream.
    fn join(
        &self,
        stream: u64,
        socket: SocketId,
        peer: Peer,
        arrival: Arrival,
        bytes: &[u8],
    ) -> Option<Route> {
        let owner = usize::try_from(stream % self.settings.shards as u64).unwrap_or(0);
        if owner != self.settings.shard {
            let arrival = Arrival {
                // Which shard answers is settled.
                broadcast: false,
                ..arrival
            };
            self.shards.get(owner)?.request(Forwarded {
                socket,
                peer,
                arrival,
                bytes: bytes.into(),
            });
            return None;
        }
        Some(Route {
            peer,
            local: Local::new(arrival.ip, arrival.ifindex),
            socket: self.sockets.reply_socket(socket),
        })
    }

    /// The source address to put on answers. A socket that is bound to one needs none.
    fn answer_from(&self, socket: SocketId, arrival: &Arrival) -> Local {
        let bound = self.sockets.addr(socket).map(|addr| addr.ip());
        match (bound, arrival.ip) {
            (Some(bound), _) if !bound.is_unspecified() => Local::default(),
            // A link-local address means nothing without its interface, nor does an answer
            // to a multicast that names no address of ours.
            (_, IpAddr::V6(ip)) if ip.is_unicast_link_local() || ip.is_unspecified() => {
                Local::new(arrival.ip, arrival.ifindex)
            }
            (_, ip) => Local::new(ip, 0),
        }
    }

    /// A broadcast reaches every shard; all agree, without a word, on the one that answers.
    fn answers_broadcast(&self, peer: Peer) -> bool {
        self.owner(peer) == self.settings.shard
    }

    /// The shard to which a peer's ICMP errors belong, unless it is this one. Only the port that
    /// all shards share is ambiguous.
    fn other_owner(&self, socket: SocketId, peer: Peer) -> Option<&Address> {
        let owner = self.owner(peer);
        let elsewhere = self.sockets.is_listener(socket) && owner != self.settings.shard;
        elsewhere.then(|| self.shards.get(owner)).flatten()
    }

    /// The same rule as in [`steer`](super::steer), so that all of a peer's datagrams meet.
    fn owner(&self, peer: Peer) -> usize {
        usize::from(peer.port()) % self.settings.shards
    }

    fn max_blksize(&mut self, now: Nanos, ifindex: u32, peer: Peer) -> u16 {
        match self.settings.max_blksize {
            Some(blksize) => blksize.min(MAX_BLKSIZE),
            None => self.mtu.blksize_max(ifindex, peer.ip(), now),
        }
    }
}
