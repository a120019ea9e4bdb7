//! The exchange with one server: its transfer ID, and sending again what was not answered.
//! It never knows which block is due; it repeats what it was given last.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::rtt::Rtt;
use crate::client::{ClientSocket, Failure, Heard};
use crate::clock;
use crate::transfer::Nanos;
use crate::wire::packet::ErrorPacket;
use crate::wire::{ErrorCode, Packet, decode};

/// The longest wait before a resend, unless --timeout says otherwise.
const LONGEST_WAIT: Nanos = Nanos::from_secs(5);

/// The last ACK may get lost. We stay for as long as a quick server needs to ask for it again, and
/// never so long that a person notices.
const LINGER_MIN: Nanos = Nanos::from_millis(2);
const LINGER_MAX: Nanos = Nanos::from_millis(50);

pub struct Channel<'a> {
    socket: ClientSocket,
    server: SocketAddr,
    /// The server's transfer ID, once it has answered (RFC 1350, section 4).
    peer: Option<SocketAddr>,
    /// Somebody else who answered in the server's place.
    stranger: Option<IpAddr>,
    /// Whether we sent an ERROR to a foreign port: an ICMP error may then be about that.
    rejected: bool,
    outstanding: Vec<u8>,
    sent_at: Nanos,
    /// Whether its answer would be a fair measurement (Karn's rule).
    sent_once: bool,
    /// None until we listen again: time that the caller spends on its disk is not silence.
    deadline: Option<Nanos>,
    waited: Duration,
    tries: u16,
    retries: u16,
    resends: u64,
    rtt: Rtt,
    stop: &'a AtomicBool,
}

impl<'a> Channel<'a> {
    pub fn open(
        server: SocketAddr,
        longest_wait: Option<Duration>,
        retries: u16,
        stop: &'a AtomicBool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            socket: ClientSocket::open(server).map_err(Failure::Unreachable)?,
            server,
            peer: None,
            stranger: None,
            rejected: false,
            outstanding: Vec::new(),
            sent_at: Nanos::ZERO,
            sent_once: false,
            deadline: None,
            waited: Duration::ZERO,
            tries: 0,
            retries,
            resends: 0,
            rtt: Rtt::new(longest_wait.map_or(LONGEST_WAIT, Nanos::from)),
            stop,
        })
    }

    pub const fn resends(&self) -> u64 {
        self.resends
    }

    /// Makes room for `bytes` that arrive while we write.
    pub fn reserve(&self, bytes: usize) {
        self.socket.reserve(bytes);
    }

    /// Sends a packet that follows from something new.
    pub fn send(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.outstanding.clear();
        self.outstanding.extend_from_slice(packet);
        self.sent_once = true;
        self.deadline = None;
        self.transmit()
    }

    /// Sends a packet because something was lost; the time to give up does not move.
    pub fn send_again(&mut self, packet: &[u8]) -> Result<(), Failure> {
        self.outstanding.clear();
        self.outstanding.extend_from_slice(packet);
        self.repeat()
    }

    /// Sends the last packet once more.
    pub fn repeat(&mut self) -> Result<(), Failure> {
        self.sent_once = false;
        self.resends += 1;
        self.transmit()
    }

    /// Sends the last packet once more because the server's came twice, unless ours may still be
    /// under way: a server that goes back for every ACK would double its traffic for ever.
    pub fn repeat_if_lost(&mut self) -> Result<(), Failure> {
        let round_trip = self.rtt.spread().unwrap_or(Nanos::ZERO);
        if clock::now() - self.sent_at < round_trip {
            return Ok(());
        }
        self.repeat()
    }

    /// Notes that the transfer went on.
    pub fn progress(&mut self) {
        if core::mem::take(&mut self.sent_once) {
            self.rtt.sample(clock::now() - self.sent_at);
        }
        self.rtt.progress();
        self.tries = 0;
        self.waited = Duration::ZERO;
        self.deadline = None;
    }

    /// Waits for the server's next packet and repeats ours meanwhile; says how long it is.
    pub fn hear(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Failure::Interrupted);
            }
            let now = clock::now();
            let deadline = *self.deadline.get_or_insert(now + self.rtt.wait());
            if now >= deadline {
                self.on_silence()?;
                continue;
            }
            let heard = self.socket.receive(buffer, deadline);
            match heard.map_err(|error| Failure::Local(format!("cannot receive: {error}")))? {
                Heard::Datagram { len, from } => {
                    if self.admit(&buffer[..len], from)? {
                        return Ok(len);
                    }
                }
                Heard::Unreachable(error) if !self.rejected => {
                    return Err(Failure::unreachable(error, self.peer.is_some()));
                }
                Heard::Unreachable(_) | Heard::Signal | Heard::Nothing => {}
            }
        }
    }

    /// Tells the server why we stop, when it is there to be told.
    pub fn say_goodbye(&self, failure: &Failure) {
        let (code, text) = match failure {
            Failure::Protocol(code, _) => (*code, "That does not follow from what was asked"),
            Failure::Local(_) => (ErrorCode::NOT_DEFINED, "The client cannot store the file"),
            Failure::Interrupted => (ErrorCode::NOT_DEFINED, "The client was interrupted"),
            Failure::Stalled { .. } => (ErrorCode::NOT_DEFINED, "The client has waited too long"),
            Failure::NoAnswer { .. }
            | Failure::Unreachable(_)
            | Failure::Gone(_)
            | Failure::Server { .. } => return,
        };
        if let Some(peer) = self.peer {
            // It is a courtesy; the failure itself is reported by the caller.
            let _ = self
                .socket
                .send(ErrorPacket::new(code, text).as_bytes(), peer);
        }
    }

    /// Repeats the last ACK for a server that did not get it.
    pub fn linger(&mut self, buffer: &mut [u8]) {
        let spread = self.rtt.spread().unwrap_or(LINGER_MAX);
        let until = clock::now() + spread.times(2).clamp(LINGER_MIN, LINGER_MAX);
        while clock::now() < until {
            let Ok(heard) = self.socket.receive(buffer, until) else {
                return;
            };
            match heard {
                Heard::Datagram { len, from } if Some(from) == self.peer => {
                    let again = matches!(decode(&buffer[..len]), Ok(Packet::Data { .. }));
                    if again && self.repeat().is_err() {
                        return;
                    }
                }
                Heard::Unreachable(_) | Heard::Signal => return,
                Heard::Datagram { .. } | Heard::Nothing => {}
            }
        }
    }

    fn on_silence(&mut self) -> Result<(), Failure> {
        self.waited += self.rtt.wait().to_duration();
        let (waited, stranger) = (self.waited, self.stranger);
        if self.tries == self.retries {
            return Err(match self.peer {
                None => Failure::NoAnswer { waited, stranger },
                Some(_) => Failure::Stalled { waited },
            });
        }
        self.tries += 1;
        self.rtt.back_off();
        self.deadline = None;
        self.repeat()
    }

    /// Whether the datagram belongs to the transfer. The first answer decides who the server is;
    /// everybody else is told so and disturbs nothing (RFC 1350, section 4).
    fn admit(&mut self, bytes: &[u8], from: SocketAddr) -> Result<bool, Failure> {
        match self.peer {
            Some(peer) if peer != from => {
                self.reject(from);
                return Ok(false);
            }
            None if from.ip() != self.server.ip() => {
                self.stranger = Some(from.ip());
                return Ok(false);
            }
            _ => {}
        }
        match decode(bytes) {
            Ok(Packet::Error { code, text }) => Err(Failure::Server {
                code,
                text: text.to_vec(),
            }),
            Ok(Packet::Data { .. } | Packet::Oack(_)) => {
                self.peer = Some(from);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn reject(&mut self, from: SocketAddr) {
        self.rejected = true;
        let packet = ErrorPacket::new(ErrorCode::UNKNOWN_TID, "Unknown transfer ID");
        // A stranger that cannot be told has no claim to more.
        let _ = self.socket.send(packet.as_bytes(), from);
    }

    fn transmit(&mut self) -> Result<(), Failure> {
        self.sent_at = clock::now();
        let to = self.peer.unwrap_or(self.server);
        let packet = &self.outstanding;
        let sent = self.socket.send_past_icmp(packet, to, self.rejected);
        sent.map_err(|error| Failure::unreachable(error, self.peer.is_some()))
    }
}
