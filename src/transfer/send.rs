//! A read transfer seen from the sender: what is acknowledged, what is under way, what follows.
//! It never sees bytes: it answers in block ranges, and somebody else sends them.

use super::negotiate::Terms;
use super::retry::Retry;
use super::time::Nanos;
use super::window::BlockRange;
use crate::limits::{
    DISK_ASK_AGAIN, GIVE_UP, GIVE_UP_TIMEOUTS, PROGRESS_GRACE, SLOWEST_BLOCK, UNPROVEN_DATA,
    UNPROVEN_LIFETIME, UNPROVEN_OACKS,
};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Send the OACK (again).
    Oack,
    /// Send these blocks.
    Send(BlockRange),
    /// Every block is acknowledged.
    Completed,
    /// Stop: the peer is not heard, or does not get on. The text says which.
    GiveUp(&'static str),
}

/// One file on its way to one client.
#[derive(Debug)]
pub struct ReadTransfer {
    terms: Terms,
    size: u64,
    started: Nanos,
    /// When the newest flight left.
    flight_at: Nanos,
    progress_at: Nanos,
    deadline: Nanos,
    /// Newest block acknowledged in order; 0 before the first.
    acked: u64,
    /// Newest block sent, or waiting for the disk to be sent.
    sent: u64,
    /// How many of the newest blocks wait for the disk.
    parked: u32,
    retry: Retry,
    /// Blocks sent more than once.
    resends: u32,
    /// Resends since the last progress.
    tries: u8,
    /// An OACK is out and not yet acknowledged.
    awaiting_oack: bool,
    /// The peer has sent a valid ACK, so its address is not forged (RFC 9000's idea, section 8).
    proven: bool,
    /// The newest flight was sent once, so that its answer is a sample (Karn).
    clean: bool,
    /// The flight before the newest was sent once, so that no echo of it is on the way.
    settled: bool,
    /// Newest block that was sent more than once.
    repeated: u64,
}

impl ReadTransfer {
    /// A transfer of `size` bytes; `oack` says whether the first answer is an OACK.
    #[must_use]
    pub fn new(terms: Terms, size: u64, oack: bool, now: Nanos) -> Self {
        Self {
            retry: Retry::new(terms.timeout),
            terms,
            size,
            started: now,
            flight_at: now,
            progress_at: now,
            deadline: Nanos::NEVER,
            acked: 0,
            sent: 0,
            parked: 0,
            resends: 0,
            tries: 0,
            awaiting_oack: oack,
            proven: false,
            clean: true,
            settled: true,
            repeated: 0,
        }
    }

    /// The first answer to the request; also its repetition when the request comes again.
    pub fn first_answer(&mut self, now: Nanos) -> Step {
        if self.awaiting_oack {
            let clean = self.deadline == Nanos::NEVER;
            self.note_flight(now, clean);
            Step::Oack
        } else {
            self.resume(now)
        }
    }

    /// ACK `wire` arrived.
    pub fn ack(&mut self, now: Nanos, wire: u16) -> Step {
        let Some(block) = self
            .terms
            .rollover
            .absolute(wire, self.acked, self.departed())
        else {
            return Step::Nothing;
        };
        if self.awaiting_oack {
            return self.oack_accepted(now);
        }
        if block == self.acked {
            return self.duplicate_ack(now);
        }
        self.advance(now, block)
    }

    /// The deadline passed.
    pub fn expired(&mut self, now: Nanos) -> Step {
        if self.parked > 0 {
            return self.ask_disk_again(now);
        }
        if let Some(reason) = self.hopeless(now) {
            return Step::GiveUp(reason);
        }
        self.tries = self.tries.saturating_add(1);
        if !self.proven && self.tries > self.unproven_tries() {
            // Silent until the peer speaks or its time is over.
            self.deadline = self.started + UNPROVEN_LIFETIME;
            return Step::Nothing;
        }
        self.retry.back_off();
        self.first_answer(now)
    }

    /// What is to be sent now that these blocks are asked for: those that wait go with them.
    #[must_use]
    pub fn with_parked(&self, blocks: BlockRange) -> BlockRange {
        if self.parked == 0 {
            return blocks;
        }
        let first = blocks.first.min(self.departed() + 1);
        BlockRange::between(first, self.sent)
    }

    /// These blocks are not in memory. They stay here until [`loaded`](Self::loaded), or until it
    /// is time to ask for them again.
    pub fn park(&mut self, now: Nanos, blocks: BlockRange) {
        let waiting = (self.sent + 1).saturating_sub(blocks.first);
        self.parked = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.deadline = now + DISK_ASK_AGAIN;
    }

    /// The disk has answered: what was parked may be tried again.
    pub fn loaded(&mut self, now: Nanos) -> Step {
        if self.parked == 0 {
            return Step::Nothing;
        }
        let blocks = BlockRange::between(self.departed() + 1, self.sent);
        self.parked = 0;
        // The client waited for us: that was no slowness of its own, nor a round trip.
        self.started = self.started + (now - self.progress_at);
        self.progress_at = now;
        self.note_flight(now, false);
        Step::Send(blocks)
    }

    /// Whether blocks wait for the disk.
    #[must_use]
    pub const fn is_parked(&self) -> bool {
        self.parked > 0
    }

    /// Newest block that really left.
    fn departed(&self) -> u64 {
        self.sent
            .saturating_sub(u64::from(self.parked))
            .max(self.acked)
    }

    fn ask_disk_again(&mut self, now: Nanos) -> Step {
        if now - self.progress_at >= GIVE_UP {
            return Step::GiveUp("the disk did not deliver the file");
        }
        self.deadline = now + DISK_ASK_AGAIN;
        Step::Send(BlockRange::between(self.departed() + 1, self.sent))
    }

    fn oack_accepted(&mut self, now: Nanos) -> Step {
        self.awaiting_oack = false;
        self.note_progress(now);
        self.resume(now)
    }

    /// In lock-step a duplicate ACK never causes DATA: RFC 1123, section 4.2.3.1. In a window it
    /// says that the first block behind it is missing (RFC 7440, section 4).
    fn duplicate_ack(&mut self, now: Nanos) -> Step {
        let early = self.retry.too_early(now - self.flight_at);
        // After a resend this may be the echo of a block that the client had already, or one more
        // ACK for the gap that was filled: one resend for each gap.
        if self.terms.windowsize == 1 || early || !self.clean || !self.settled {
            return Step::Nothing;
        }
        self.resume(now)
    }

    fn advance(&mut self, now: Nanos, block: u64) -> Step {
        let whole = block == self.sent;
        let elapsed = now - self.flight_at;
        // EDK2 answers every block that it has already with an ACK of its newest one, and counts
        // its window anew from there. After a resend such an echo is no gap; to take it for one
        // would resend the next window, and so for ever.
        let may_be_echo = block <= self.repeated;
        self.acked = block;
        if !self.clean && self.tries > 0 {
            self.retry.resend_answered(elapsed);
        }
        self.clean &= whole;
        self.note_progress(now);
        if block == self.last_block() {
            return Step::Completed;
        }
        if whole {
            return self.resume(now);
        }
        if may_be_echo || self.retry.too_early(elapsed) {
            // The newest flight is still under way.
            return self.slide(now);
        }
        // RFC 7440, section 4: on an ACK inside the window the sender resumes behind it.
        self.resume(now)
    }

    /// Sends what the window allows and was never sent. An ACK that comes sooner than these can be
    /// answered says nothing of them.
    fn slide(&mut self, now: Nanos) -> Step {
        let end = self.window_end();
        if end <= self.sent {
            return Step::Nothing;
        }
        let blocks = BlockRange::between(self.sent + 1, end);
        self.sent = end;
        self.flight_at = now;
        self.deadline = now + self.retry.interval();
        Step::Send(blocks)
    }

    /// Sends the whole window behind the newest acknowledged block.
    fn resume(&mut self, now: Nanos) -> Step {
        let blocks = BlockRange::between(self.acked + 1, self.window_end());
        let repeated = self.sent.saturating_sub(self.acked);
        if repeated > 0 {
            self.repeated = self.sent;
        }
        self.resends = self
            .resends
            .saturating_add(u32::try_from(repeated).unwrap_or(u32::MAX));
        self.sent = self.sent.max(self.window_end());
        self.note_flight(now, repeated == 0);
        Step::Send(blocks)
    }

    fn note_flight(&mut self, now: Nanos, clean: bool) {
        self.flight_at = now;
        self.settled = self.clean;
        self.clean = clean;
        self.deadline = now + self.retry.interval();
    }

    fn note_progress(&mut self, now: Nanos) {
        if self.clean {
            self.retry.sample(now - self.flight_at);
        }
        self.retry.progressed();
        self.proven = true;
        self.progress_at = now;
        self.tries = 0;
    }

    /// An unproven peer gets one block at a time, whatever window it asked for. It cannot be
    /// otherwise: a window is granted by OACK, and the ACK of that is the proof.
    fn window_end(&self) -> u64 {
        (self.acked + u64::from(self.terms.windowsize)).min(self.last_block())
    }

    fn hopeless(&self, now: Nanos) -> Option<&'static str> {
        if !self.proven {
            let over = now >= self.started + UNPROVEN_LIFETIME;
            return over.then_some("the client never answered");
        }
        let patience = GIVE_UP.max(match self.terms.timeout {
            Some(timeout) => timeout.times(GIVE_UP_TIMEOUTS),
            None => Nanos::ZERO,
        });
        if now - self.progress_at >= patience {
            return Some(if self.sent == self.last_block() {
                "the end of the file was sent but never acknowledged"
            } else {
                "the client fell silent"
            });
        }
        let allowed = PROGRESS_GRACE + SLOWEST_BLOCK.times(self.acked);
        (now - self.started >= allowed).then_some("the client gets on too slowly")
    }

    const fn unproven_tries(&self) -> u8 {
        if self.awaiting_oack {
            UNPROVEN_OACKS
        } else {
            UNPROVEN_DATA
        }
    }

    /// The file's final block: the first that is shorter than blksize, if only by all its bytes.
    #[must_use]
    pub fn last_block(&self) -> u64 {
        self.size / u64::from(self.terms.blksize) + 1
    }

    #[must_use]
    pub const fn deadline(&self) -> Nanos {
        self.deadline
    }

    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the file that the client has acknowledged.
    #[must_use]
    pub fn acked_bytes(&self) -> u64 {
        (self.acked * u64::from(self.terms.blksize)).min(self.size)
    }

    #[must_use]
    pub const fn resends(&self) -> u32 {
        self.resends
    }

    #[must_use]
    pub const fn round_trip(&self) -> Nanos {
        self.retry.round_trip()
    }

    /// Whether the peer has sent a valid ACK.
    #[must_use]
    pub const fn proven(&self) -> bool {
        self.proven
    }

    /// Whether an ERROR now would mean "I only wanted the size".
    #[must_use]
    pub const fn may_be_probe(&self) -> bool {
        self.terms.tsize_asked && self.acked == 0
    }

    #[must_use]
    pub const fn progress_at(&self) -> Nanos {
        self.progress_at
    }
}

impl BlockRange {
    fn between(first: u64, last: u64) -> Self {
        Self {
            first,
            count: u32::try_from((last + 1).saturating_sub(first)).unwrap_or(u32::MAX),
        }
    }

    /// The newest block of the range.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.first + (self.count as u64).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Nanos = Nanos::from_secs(100);

    fn at(millis: u64) -> Nanos {
        T0 + Nanos::from_millis(millis)
    }

    fn send(first: u64, count: u32) -> Step {
        Step::Send(BlockRange { first, count })
    }

    fn lock_step(size: u64) -> ReadTransfer {
        let mut transfer = ReadTransfer::new(Terms::default(), size, false, T0);
        assert_eq!(transfer.first_answer(T0), send(1, 1));
        transfer
    }

    /// Window of 4, OACK acknowledged after 10 ms, blocks 1 to 4 under way at 10 ms.
    fn windowed(size: u64) -> ReadTransfer {
        let terms = Terms {
            windowsize: 4,
            ..Terms::default()
        };
        let mut transfer = ReadTransfer::new(terms, size, true, T0);
        assert_eq!(transfer.first_answer(T0), Step::Oack);
        assert_eq!(transfer.ack(at(10), 0), send(1, 4));
        transfer
    }

    #[test]
    fn lock_step_runs_to_a_short_or_empty_last_block() {
        for (size, blocks) in [(0, 1), (1, 1), (511, 1), (512, 2), (1630, 4)] {
            let mut transfer = lock_step(size);
            for block in 1..blocks {
                assert_eq!(transfer.ack(at(1), block), send(u64::from(block) + 1, 1));
            }
            assert_eq!(transfer.ack(at(2), blocks), Step::Completed);
            assert_eq!(transfer.acked_bytes(), size);
            assert_eq!(transfer.resends(), 0);
        }
    }

    #[test]
    fn a_duplicate_ack_in_lock_step_causes_nothing() {
        let mut transfer = lock_step(5_000);
        assert_eq!(transfer.ack(at(1), 1), send(2, 1));
        assert_eq!(transfer.ack(at(900), 1), Step::Nothing);
        assert_eq!(transfer.ack(at(900), 0), Step::Nothing);
        assert_eq!(transfer.ack(at(900), 3), Step::Nothing);
    }

    #[test]
    fn an_ack_inside_the_window_resumes_behind_it_once() {
        let mut transfer = windowed(100_000);
        assert_eq!(transfer.ack(at(20), 2), send(3, 4));
        assert_eq!(transfer.ack(at(21), 2), Step::Nothing);
        assert_eq!(transfer.ack(at(40), 2), Step::Nothing);
        assert_eq!(transfer.resends(), 2);
        assert_eq!(transfer.ack(at(41), 6), send(7, 4));
    }

    #[test]
    fn what_waits_for_the_disk_goes_with_what_follows_and_is_no_round_trip() {
        let mut transfer = windowed(100_000);
        let range = |first, count| BlockRange { first, count };
        transfer.ack(at(20), 4);
        transfer.park(at(20), range(5, 4));
        let before = transfer.round_trip();
        // An ACK of the same place, late: what is asked for joins what waits.
        assert_eq!(transfer.with_parked(range(7, 2)), range(5, 4));
        assert_eq!(transfer.ack(at(30), 8), Step::Nothing, "never sent");
        assert_eq!(transfer.loaded(at(3_000)), send(5, 4));
        assert_eq!(transfer.loaded(at(3_000)), Step::Nothing);
        assert_eq!(transfer.with_parked(range(5, 4)), range(5, 4));
        assert!(
            transfer.deadline() <= at(3_200),
            "its answer is awaited from now"
        );
        assert_eq!(transfer.ack(at(3_010), 8), send(9, 4));
        assert_eq!(transfer.round_trip(), before);
        assert_eq!(transfer.resends(), 0);
    }

    #[test]
    fn a_slow_disk_is_asked_again_and_not_for_ever() {
        let mut transfer = lock_step(100_000);
        transfer.ack(at(1), 1);
        transfer.park(at(1), BlockRange { first: 2, count: 1 });
        let reason = loop {
            match transfer.expired(transfer.deadline()) {
                Step::Send(blocks) => assert_eq!(blocks.first, 2),
                Step::GiveUp(reason) => break reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(reason, "the disk did not deliver the file");
        assert!(transfer.deadline() >= at(1) + GIVE_UP);
    }

    #[test]
    fn time_on_the_disk_is_not_held_against_the_client() {
        let mut transfer = lock_step(1 << 30);
        for block in 1..100_u16 {
            let now = T0 + Nanos::from_secs(20).times(u64::from(block));
            transfer.ack(now, block);
            transfer.park(
                now,
                BlockRange {
                    first: u64::from(block) + 1,
                    count: 1,
                },
            );
            let later = now + Nanos::from_secs(19);
            assert!(matches!(transfer.loaded(later), Step::Send(_)));
            assert_eq!(transfer.hopeless(later), None);
        }
    }

    #[test]
    fn a_lost_first_block_is_filled_once_but_not_for_an_early_duplicate() {
        let mut transfer = windowed(100_000);
        // A network duplicate of ACK 0, 1 ms after the flight, with a round trip of 10 ms.
        assert_eq!(transfer.ack(at(11), 0), Step::Nothing);
        assert_eq!(transfer.ack(at(20), 0), send(1, 4));
        assert_eq!(transfer.ack(at(30), 0), Step::Nothing);
    }

    /// EDK2 acknowledges each block that it has already, and counts its window from there.
    #[test]
    fn the_echo_of_a_resent_block_is_no_gap() {
        let mut transfer = windowed(100_000);
        // Block 3 came late: one fill, of which the client has blocks 3 and 4 already.
        assert_eq!(transfer.ack(at(20), 2), send(3, 4));
        assert_eq!(transfer.ack(at(30), 4), send(7, 2));
        assert_eq!(transfer.ack(at(31), 4), Step::Nothing);
        assert_eq!(transfer.resends(), 2);
        assert_eq!(transfer.ack(at(41), 8), send(9, 4));
        assert_eq!(transfer.resends(), 2);
    }

    /// A client that acknowledges each old block by its own number makes the window slide; the
    /// ACK of the rest follows at once.
    #[test]
    fn blocks_sent_a_moment_ago_are_not_missing() {
        let mut transfer = windowed(100_000);
        assert_eq!(transfer.ack(at(20), 2), send(3, 4));
        assert_eq!(transfer.ack(at(30), 3), send(7, 1));
        assert_eq!(transfer.ack(at(30), 4), send(8, 1));
        assert_eq!(transfer.ack(at(30), 6), send(9, 2));
        assert_eq!(transfer.resends(), 2);
    }

    #[test]
    fn the_window_ends_with_the_file() {
        let mut transfer = windowed(512 * 5);
        assert_eq!(transfer.ack(at(20), 4), send(5, 2));
        assert_eq!(transfer.ack(at(30), 6), Step::Completed);
    }

    #[test]
    fn a_lost_packet_costs_a_round_trip_and_backs_off() {
        let mut transfer = lock_step(100_000);
        for block in 1..40 {
            transfer.ack(at(u64::from(block)), block);
        }
        let wait = transfer.deadline() - at(39);
        assert!(wait <= Nanos::from_millis(10), "{wait:?}");
        let first = transfer.deadline();
        assert_eq!(transfer.expired(first), send(40, 1));
        let second = transfer.deadline();
        assert_eq!(second - first, wait.times(2));
        assert_eq!(transfer.resends(), 1);
    }

    #[test]
    fn an_unproven_peer_gets_few_datagrams_and_is_forgotten() {
        for (oack, expected) in [(true, UNPROVEN_OACKS), (false, UNPROVEN_DATA)] {
            let mut transfer = ReadTransfer::new(Terms::default(), 9_999, oack, T0);
            transfer.first_answer(T0);
            let mut resends = 0;
            loop {
                match transfer.expired(transfer.deadline()) {
                    Step::GiveUp(_) => break,
                    Step::Nothing => {}
                    Step::Send(blocks) => {
                        assert_eq!(blocks.count, 1);
                        resends += 1;
                    }
                    _ => resends += 1,
                }
            }
            assert_eq!(resends, expected);
            assert_eq!(transfer.deadline(), T0 + UNPROVEN_LIFETIME);
        }
    }

    #[test]
    fn a_silent_client_is_given_up_after_its_patience() {
        let mut transfer = lock_step(100_000);
        transfer.ack(at(1), 1);
        let mut resends = 0;
        while transfer.expired(transfer.deadline()) != Step::GiveUp("the client fell silent") {
            resends += 1;
            assert!(resends < 100);
        }
        assert!(transfer.deadline() >= at(1) + GIVE_UP);
    }

    /// tftp-hpa's utimeout may be 10 ms; 3,000 windows would go to a client that is not there.
    #[test]
    fn a_short_timeout_does_not_flood_a_client_that_vanished() {
        let terms = Terms {
            windowsize: 64,
            timeout: Some(Nanos::from_millis(10)),
            ..Terms::default()
        };
        let mut transfer = ReadTransfer::new(terms, 1 << 30, true, T0);
        transfer.first_answer(T0);
        transfer.ack(at(1), 0);
        let mut trains = 0;
        while let Step::Send(_) = transfer.expired(transfer.deadline()) {
            trains += 1;
        }
        assert!(transfer.deadline() >= at(1) + GIVE_UP);
        assert!(trains < 150, "{trains} windows");
    }

    #[test]
    fn a_client_that_crawls_is_given_up() {
        let mut transfer = lock_step(1 << 30);
        let mut now = T0;
        let mut block = 2;
        transfer.ack(at(1), 1);
        let reason = loop {
            now = now + Nanos::from_secs(20);
            while transfer.deadline() < now {
                match transfer.expired(transfer.deadline()) {
                    Step::GiveUp(_) => break,
                    _ => continue,
                }
            }
            if let Step::GiveUp(reason) = transfer.expired(now) {
                break reason;
            }
            transfer.ack(now, block);
            block += 1;
            assert!(block < 100);
        };
        assert_eq!(reason, "the client gets on too slowly");
    }

    #[test]
    fn blocks_wrap_to_zero_and_to_one() {
        use crate::transfer::Rollover;
        for rollover in [Rollover::ToZero, Rollover::ToOne] {
            let terms = Terms {
                blksize: 8,
                rollover,
                ..Terms::default()
            };
            let size = 8 * 140_000;
            let mut transfer = ReadTransfer::new(terms, size, false, T0);
            transfer.first_answer(T0);
            for block in 1..=140_000_u64 {
                assert_eq!(transfer.ack(T0, rollover.wire(block)), send(block + 1, 1));
            }
            assert_eq!(transfer.ack(T0, rollover.wire(140_001)), Step::Completed);
        }
    }
}
