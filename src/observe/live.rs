//! Pictures of the transfers under way, on their way from a shard to whoever watches the farm.
//! It never holds a shard up: a turn copies a few transfers, and none while nobody watches.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::endpoint::{Endpoint, Glimpse};
use crate::limits::{SURVEY_PER_TURN, SURVEY_PIECES};

/// Part of a picture.
#[derive(Debug)]
pub struct Piece {
    pub rows: Vec<Glimpse>,
    /// The picture is complete.
    pub last: bool,
}

/// The shard's end. The default is one at whose other end nobody is.
#[derive(Debug, Default)]
pub struct Lens {
    line: Option<Line>,
    /// The newest picture that was begun.
    begun: u64,
    /// Where it goes on.
    next: Option<u32>,
}

#[derive(Debug)]
struct Line {
    asked: Arc<AtomicU64>,
    pieces: Sender<Piece>,
    /// Memory that came back.
    spare: Receiver<Vec<Glimpse>>,
}

/// The watcher's end.
#[derive(Debug)]
pub struct Eye {
    asked: Arc<AtomicU64>,
    pieces: Receiver<Piece>,
    spare: Sender<Vec<Glimpse>>,
}

/// Both ends of one shard's line.
#[must_use]
pub fn line() -> (Lens, Eye) {
    let asked = Arc::<AtomicU64>::default();
    let (pieces, taken) = bounded(SURVEY_PIECES);
    let (given_back, spare) = bounded(SURVEY_PIECES);
    let lens = Lens {
        line: Some(Line {
            asked: Arc::clone(&asked),
            pieces,
            spare,
        }),
        ..Lens::default()
    };
    let eye = Eye {
        asked,
        pieces: taken,
        spare: given_back,
    };
    (lens, eye)
}

impl Lens {
    /// Whether a picture is under way that the next turn could go on with.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let room = |line: &Line| !line.pieces.is_full();
        self.next.is_some() && self.line.as_ref().is_some_and(room)
    }

    /// This turn's part of a picture, if somebody wants one.
    pub fn turn<I, S: BuildHasher>(&mut self, endpoint: &Endpoint<I, S>) {
        let Some(line) = &self.line else {
            return;
        };
        if self.next.is_none() {
            let asked = line.asked.load(Relaxed);
            if asked == self.begun {
                return;
            }
            self.begun = asked;
            self.next = Some(0);
        }
        if line.pieces.is_full() {
            return;
        }
        let mut rows = line.spare.try_recv().unwrap_or_default();
        rows.clear();
        rows.reserve(SURVEY_PER_TURN as usize);
        let from = self.next.unwrap_or(0);
        self.next = endpoint.survey(from, SURVEY_PER_TURN, &mut |glimpse| rows.push(glimpse));
        let last = self.next.is_none();
        // There is room: nobody else sends.
        let _ = line.pieces.try_send(Piece { rows, last });
    }
}

impl Eye {
    /// Asks for a new picture.
    pub fn ask(&self) {
        self.asked.fetch_add(1, Relaxed);
    }

    /// A piece that has come.
    #[must_use]
    pub fn piece(&self) -> Option<Piece> {
        self.pieces.try_recv().ok()
    }

    /// Gives a piece's memory back.
    pub fn give_back(&self, rows: Vec<Glimpse>) {
        let _ = self.spare.try_send(rows);
    }
}
