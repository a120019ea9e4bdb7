//! What becomes of a datagram on its way: lost, late, twice, out of order or damaged.
//! It never knows what the datagram means.

use ringboot::transfer::Nanos;

use crate::rng::Rng;
use crate::switch::Bottleneck;

/// The habits of a network, the same in both directions. Chances are per million datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// Each datagram on its own.
    pub loss: u32,
    /// Gilbert and Elliott: spells in which most is lost.
    pub spells: Option<Spells>,
    pub duplicate: u32,
    /// Every datagram to the server arrives twice, at once.
    pub echo_to_server: bool,
    /// Bits flip. Of the damaged ones one in ten passes the UDP checksum.
    pub corrupt: u32,
    /// One way.
    pub delay: Nanos,
    pub jitter: Nanos,
    /// Datagrams that take up to `straggle_by` longer, so that others overtake them.
    pub straggle: u32,
    pub straggle_by: Nanos,
    /// A narrow link with a finite queue on the way to the clients.
    pub bottleneck: Option<Bottleneck>,
}

/// Mean lengths of good and bad times, and what is lost in the bad ones.
#[derive(Debug, Clone, Copy)]
pub struct Spells {
    pub good: Nanos,
    pub bad: Nanos,
    pub loss: u32,
}

impl Weather {
    /// Nothing is ever lost, late, twice, out of order or damaged.
    pub const fn is_perfect(&self) -> bool {
        self.is_lossless() && self.duplicate == 0 && self.straggle == 0
    }

    pub const fn is_lossless(&self) -> bool {
        self.loss == 0 && self.spells.is_none() && self.corrupt == 0 && self.bottleneck.is_none()
    }

    /// At most 5 % of single losses, or short spells: patient clients must always finish.
    pub fn is_bearable(&self) -> bool {
        let spells = self.spells.is_none_or(|spells| {
            spells.bad <= Nanos::from_millis(50) && spells.good >= spells.bad.times(19)
        });
        // Where many share a link, nobody knows what is left for one.
        let link = self.bottleneck.is_none_or(|link| !link.shared);
        spells && link && self.loss + self.corrupt <= 50_000
    }

    /// The longest that a datagram and its answer travel.
    pub fn round_trip_max(&self) -> Nanos {
        let straggle = if self.straggle == 0 {
            Nanos::ZERO
        } else {
            self.straggle_by
        };
        let queue = self
            .bottleneck
            .map_or(Nanos::ZERO, |link| link.longest_wait());
        (self.delay + self.jitter + straggle).times(2) + queue
    }
}

/// One direction between a client and the server.
#[derive(Debug)]
pub struct Path {
    weather: Weather,
    to_server: bool,
    rng: Rng,
    bad: bool,
    turns_at: Nanos,
    last_arrival: Nanos,
}

/// The copies that arrive, and how many harms were done.
#[derive(Debug, Default)]
pub struct Carried {
    pub copies: [Option<Copy>; 2],
    pub lost: u32,
    pub harms: u32,
}

impl Carried {
    /// Nothing arrives.
    pub fn dropped() -> Self {
        Self {
            lost: 1,
            harms: 1,
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Copy {
    pub at: Nanos,
    pub damaged: bool,
}

/// A frame of 1,500 bytes on a gigabit link.
const FRAME_TIME: Nanos = Nanos::from_micros(12);

impl Path {
    pub const fn new(weather: Weather, to_server: bool, rng: Rng) -> Self {
        Self {
            weather,
            to_server,
            rng,
            bad: true,
            turns_at: Nanos::ZERO,
            last_arrival: Nanos::ZERO,
        }
    }

    /// Carries one datagram that is sent `now`.
    pub fn carry(&mut self, now: Nanos) -> Carried {
        if self.loses(now) {
            return Carried::dropped();
        }
        let damaged = self.rng.chance(self.weather.corrupt);
        if damaged && !self.rng.chance(100_000) {
            // The UDP checksum found it.
            return Carried::dropped();
        }
        let mut carried = Carried::default();
        let (at, overtaken) = self.arrival(now);
        carried.harms += u32::from(overtaken) + u32::from(damaged);
        carried.copies[0] = Some(Copy { at, damaged });
        if self.weather.echo_to_server && self.to_server {
            carried.copies[1] = Some(Copy { at, damaged: false });
        } else if self.rng.chance(self.weather.duplicate) {
            let later = self.rng.span(Nanos::from_millis(20));
            let at = if self.rng.chance(500_000) {
                at
            } else {
                at + later
            };
            carried.harms += 1;
            carried.copies[1] = Some(Copy { at, damaged: false });
        }
        carried
    }

    fn loses(&mut self, now: Nanos) -> bool {
        self.rng.chance(self.weather.loss) || self.spell_takes(now)
    }

    fn spell_takes(&mut self, now: Nanos) -> bool {
        let Some(spells) = self.weather.spells else {
            return false;
        };
        while self.turns_at <= now {
            self.bad = !self.bad;
            let mean = if self.bad { spells.bad } else { spells.good };
            self.turns_at = self.turns_at + self.rng.span(mean.times(2)) + Nanos(1);
        }
        self.bad && self.rng.chance(spells.loss)
    }

    /// Datagrams keep their order unless one straggles.
    fn arrival(&mut self, now: Nanos) -> (Nanos, bool) {
        let travelled = now + self.weather.delay + self.rng.span(self.weather.jitter);
        let at = travelled.max(self.last_arrival + FRAME_TIME);
        if self.rng.chance(self.weather.straggle) {
            return (at + self.rng.span(self.weather.straggle_by), true);
        }
        self.last_arrival = at;
        (at, false)
    }
}

/// Flips up to three bits, or cuts the end off.
pub fn damage(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    if rng.chance(200_000) {
        bytes.truncate(rng.below(bytes.len() as u64) as usize);
        return;
    }
    for _ in 0..rng.between(1, 3) {
        // Headers matter more than payload, so half of the flips are there.
        let reach = if rng.chance(500_000) { 4 } else { bytes.len() };
        let place = rng.below(reach.min(bytes.len()) as u64) as usize;
        bytes[place] ^= 1 << rng.below(8);
    }
}
