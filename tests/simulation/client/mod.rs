//! A client: a row of habits brought to life. It fetches one file after the other.
//! It never shares code with the server but the packet formats.

pub mod download;
pub mod habits;
mod line;
pub mod models;
mod oack;

use std::collections::VecDeque;
use std::sync::Arc;

use ringboot::transfer::Nanos;

use crate::content::File;
use crate::rng::Rng;
use download::{Download, Next};
use habits::{Closing, Habits};
use line::Line;
pub use line::{Out, Outgoing};

/// A file to fetch, and what else happens.
#[derive(Debug, Clone)]
pub struct Wish {
    pub file: Arc<File>,
    /// Wait before asking.
    pub pause: Nanos,
    pub twist: Twist,
}

/// A transfer that the client does not carry through. `after` counts blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    None,
    /// Power off; 0 means right after the request.
    Vanish {
        after: u64,
    },
    /// Stops with an ERROR.
    Abort {
        after: u64,
    },
    /// Asks for the next file from the same port in the middle of this one; 0 means at once.
    Swap {
        after: u64,
    },
}

/// What an observer of the client's screen would see.
#[derive(Debug)]
pub enum Fact {
    Began {
        fetch: u32,
        file: Arc<File>,
    },
    Ended {
        fetch: u32,
        end: End,
    },
    /// The server did what it must not.
    Wrong {
        fetch: u32,
        what: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It believes to have the file; `whole` says whether that is so.
    Completed {
        whole: bool,
    },
    /// An ERROR with this code came.
    Refused(u16),
    TimedOut,
    /// It sent an ERROR: a size probe, or no more interest.
    Stopped,
    Vanished,
    Swapped,
}

#[derive(Debug)]
pub struct Client {
    pub habits: Habits,
    wishes: VecDeque<Wish>,
    line: Line,
    download: Option<Download>,
    restarts_left: u8,
    fetches: u32,
    /// When its timer fires; never while there is nothing to wait for.
    deadline: Nanos,
    /// When the world will look at that timer.
    pub armed: Nanos,
    /// Switched off, or with a closed port that says so.
    off: bool,
}

impl Client {
    pub fn new(id: u32, habits: Habits, wishes: Vec<Wish>, rng: Rng) -> Self {
        let first = wishes.first().map_or(Nanos::NEVER, |wish| wish.pause);
        Self {
            line: Line::new(id, &habits, rng),
            restarts_left: habits.restarts,
            habits,
            wishes: wishes.into(),
            download: None,
            fetches: 0,
            deadline: first,
            armed: Nanos::NEVER,
            off: false,
        }
    }

    pub const fn deadline(&self) -> Nanos {
        self.deadline
    }

    pub fn listens_on(&self, port: u16) -> bool {
        self.download.is_some() && self.line.port == port
    }

    /// Whether the host tells the sender that nobody listens.
    pub fn answers_by_icmp(&self) -> bool {
        !self.off && self.habits.closing == Closing::Icmp
    }

    /// The fetch that a datagram to its port is for.
    pub fn fetch(&self) -> Option<u32> {
        self.download.as_ref().map(|download| download.fetch)
    }

    pub fn datagram(&mut self, now: Nanos, from: u16, bytes: &[u8], out: &mut Out) {
        let Some(download) = &mut self.download else {
            return;
        };
        let next = download.datagram(now, from, bytes, &self.habits, &mut self.line, out);
        self.go_on(now, next, out);
    }

    pub fn timer(&mut self, now: Nanos, out: &mut Out) {
        match &mut self.download {
            None => self.begin(now, out),
            Some(download) => {
                let next = download.timer(now, &self.habits, &mut self.line, out);
                self.go_on(now, next, out);
            }
        }
    }

    fn go_on(&mut self, now: Nanos, next: Next, out: &mut Out) {
        match next {
            Next::Wait => {
                self.deadline = self
                    .download
                    .as_ref()
                    .map_or(Nanos::NEVER, |it| it.deadline);
            }
            Next::End(end) => self.end(now, end, out),
            Next::Probed => {
                self.tell_end(End::Stopped, out);
                self.ask(now, false, out);
            }
            Next::Dallied => self.turn_to_next(now),
        }
    }

    fn end(&mut self, now: Nanos, end: End, out: &mut Out) {
        self.tell_end(end, out);
        match end {
            End::Completed { .. } if matches!(self.habits.closing, Closing::Dally(_)) => {
                self.deadline = self
                    .download
                    .as_ref()
                    .map_or(Nanos::NEVER, |it| it.deadline);
                return;
            }
            End::TimedOut | End::Refused(0 | 3..) if self.restarts_left > 0 => {
                self.restarts_left -= 1;
                self.ask(now, false, out);
                return;
            }
            End::Vanished => {
                self.off = true;
                self.wishes.clear();
            }
            End::Swapped => {
                let given_up = self.wishes.pop_front();
                self.restarts_left = self.habits.restarts;
                // The same request again would be a repetition.
                let next = self.wishes.front();
                if next.map(|wish| &wish.file.name) != given_up.as_ref().map(|it| &it.file.name)
                    && next.is_some()
                {
                    self.line.keep_port = true;
                    self.ask(now, true, out);
                    return;
                }
            }
            _ => {}
        }
        self.turn_to_next(now);
    }

    fn tell_end(&self, end: End, out: &mut Out) {
        if let Some(download) = &self.download {
            out.facts.push(Fact::Ended {
                fetch: download.fetch,
                end,
            });
        }
    }

    fn turn_to_next(&mut self, now: Nanos) {
        self.download = None;
        self.wishes.pop_front();
        self.restarts_left = self.habits.restarts;
        self.deadline = match self.wishes.front() {
            Some(wish) => now + wish.pause + Nanos(1),
            None => Nanos::NEVER,
        };
    }

    fn begin(&mut self, now: Nanos, out: &mut Out) {
        self.ask(now, true, out);
    }

    /// Sends the request for the first wish; `probe` allows asking for the size alone first.
    fn ask(&mut self, now: Nanos, probe: bool, out: &mut Out) {
        let Some(wish) = self.wishes.front().cloned() else {
            self.deadline = Nanos::NEVER;
            return;
        };
        self.fetches += 1;
        let fetch = (self.line.id << 12) | self.fetches;
        self.line.open_port();
        out.facts.push(Fact::Began {
            fetch,
            file: Arc::clone(&wish.file),
        });
        let second_thought = match wish.twist {
            Twist::Vanish { after: 0 } => Some(End::Vanished),
            Twist::Swap { after: 0 } => Some(End::Swapped),
            _ => None,
        };
        let mut download = Download::new(fetch, wish, probe, &self.habits);
        download.request(now, &self.habits, &mut self.line, out);
        self.deadline = download.deadline;
        self.download = Some(download);
        if let Some(end) = second_thought {
            self.end(now, end, out);
        }
    }
}
