//! DATA that is not the block that must come next: behind a gap, or a repeat.
//! It never moves the transfer on.

use super::{Download, Reaction, Scene};
use crate::machine::Say;
use crate::scenario::Acks;

impl Download {
    pub(super) fn out_of_order(&mut self, scene: &mut Scene<'_>, distance: i32) -> Reaction {
        let ahead = distance > 0;
        if ahead {
            scene.tally.out_of_order += 1;
        } else {
            scene.tally.duplicates += 1;
        }
        // A slow client that works on its blocks answers when it is done.
        if self.ack_waiting.is_some() {
            return Reaction::NOTHING;
        }
        let answers = match scene.recipe.habits.acks {
            Acks::Every | Acks::EveryGap => true,
            Acks::Window | Acks::Gap if ahead => !self.gap_told,
            // The block that was acknowledged last came again: that ACK was lost. Older ones say
            // nothing new.
            Acks::Window => distance == -1 && self.since_ack == 0,
            Acks::Received if !ahead => return self.acknowledge_repeat(scene, distance),
            Acks::Gap | Acks::Received | Acks::New => false,
        };
        if !answers {
            return Reaction::NOTHING;
        }
        // RFC 7440, section 4: say where the sequence ends; the sender starts a window from there.
        self.gap_told |= ahead;
        self.repeat_ack(scene)
    }

    /// With the number of the block that came again, however old it is.
    fn acknowledge_repeat(&self, scene: &mut Scene<'_>, distance: i32) -> Reaction {
        let back = u64::from(distance.unsigned_abs());
        let Some(block) = self.next.checked_sub(back) else {
            return Reaction::NOTHING;
        };
        scene.tally.acks_repeated += 1;
        Reaction::say(Say::Ack(scene.recipe.habits.numbers.on_wire(block)))
    }

    /// The newest block in order once more.
    pub(super) fn repeat_ack(&mut self, scene: &mut Scene<'_>) -> Reaction {
        scene.tally.acks_repeated += 1;
        self.since_ack = 0;
        self.waits.postpone(scene.now);
        let numbers = scene.recipe.habits.numbers;
        Reaction {
            say: Say::Ack(numbers.on_wire(self.next - 1)),
            ..Reaction::NOTHING
        }
    }
}
