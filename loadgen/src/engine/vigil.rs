//! How long an idle thread looks for packets before it sleeps. It never sleeps, nor looks, itself.
//!
//! Waking a thread costs the *sender* of the next packet, and that is the server: 1.5 % of what a
//! lock-step block takes it, in a profile. Real machines cost it nothing of that kind.

use crate::machine::Nanos;

/// Where nothing is known.
const SHORT: Nanos = 30_000;
/// Where packets have come sooner than this: longer than a server takes for a batch.
const LONG: Nanos = 500_000;
/// So many sleeps in a row that were not worth it.
const SLEEPS: u8 = 8;

/// Learns from the sleeps how long it is worth looking. A server that shares our core cannot send
/// while we look: then long looks are in vain, and there are few of them.
#[derive(Debug, Default)]
pub struct Vigil {
    /// Sleeps in a row that ended sooner than a long look.
    short_sleeps: u8,
}

impl Vigil {
    /// How long to look from now on before sleeping.
    pub const fn span(&self) -> Nanos {
        if self.short_sleeps < SLEEPS {
            SHORT
        } else {
            LONG
        }
    }

    /// A sleep is over, `idle` after there was nothing to do.
    pub const fn slept(&mut self, idle: Nanos) {
        self.short_sleeps = if idle < LONG {
            self.short_sleeps.saturating_add(1)
        } else {
            0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_longer_where_packets_come_soon_and_not_in_vain() {
        let mut vigil = Vigil::default();
        for _ in 0..SLEEPS {
            assert_eq!(vigil.span(), SHORT);
            vigil.slept(SHORT + 5_000);
        }
        assert_eq!(vigil.span(), LONG);
        vigil.slept(LONG + 1_000);
        assert_eq!(vigil.span(), SHORT, "looked in vain");
    }
}
