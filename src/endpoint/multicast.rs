//! Clients that share one stream (RFC 2090): joining, the master's ACKs, elections, leaving.
//! It never sends a group anything before a master has proved its address with an ACK.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::hash::BuildHasher;

use super::effects::{Effects, Train};
use super::groups::Group;
use super::report::{Ending, Outcome};
use super::route::Ticket;
use super::tenant::{Membership, Phase};
use super::{Endpoint, FILE_CHANGED, Opened, Refusal};
use crate::limits::{
    DISK_ASK_AGAIN, GATHER_ALONE, MASTER_CHANCES, MEMBER_OACK_PAUSE, MEMBER_OACKS,
};
use crate::transfer::{
    BlockRange, GroupStep, GroupTransfer, Invitation, Nanos, Offer, SizeSaid, negotiate,
};
use crate::wire::packet::ErrorPacket;
use crate::wire::{Mode, OptionName};

impl<I, S: BuildHasher> Endpoint<I, S> {
    /// Lets a client join who asks for it, if its file can be sent so. Hands the file back if not.
    pub(super) fn join<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        opened: Opened<I>,
        effects: &mut F,
    ) -> Option<Opened<I>> {
        let Some(blksize) = self.asks_for_group(ticket, opened.size) else {
            return Some(opened);
        };
        let size = opened.size;
        let id = match self.group_for(now, ticket, blksize, opened, effects) {
            Ok(id) => id,
            Err(opened) => return Some(opened),
        };
        let joined_at = self.groups.get(id).map_or(0, |group| group.sent);
        if let Some(tenant) = self.slots.get_mut(ticket) {
            tenant.phase = Phase::Listening(Membership {
                group: id,
                blksize,
                size,
                joined_at,
                told: 0,
                missed: 0,
                deadline: Nanos::NEVER,
            });
        }
        if let Some(group) = self.groups.get_mut(id) {
            group.members.push_back(ticket);
        }
        self.welcome(now, id, ticket, effects);
        None
    }

    /// The block size of a client that may join a group.
    fn asks_for_group(&self, ticket: Ticket, size: u64) -> Option<u16> {
        self.policy.groups?;
        let tenant = self.slots.tenant(ticket.slot)?;
        let request = tenant.request()?;
        request.options.get(OptionName::Multicast)?;
        let offer = self.policy.offer(tenant.max_blksize, SizeSaid::Ours(size));
        let blksize = negotiate(&request.options, &offer).0.blksize;
        let suits = request.mode == Mode::Octet && GroupTransfer::suits(blksize, size);
        suits.then_some(blksize)
    }

    /// The group that sends this very content in such blocks from the address that the client knows.
    fn group_for<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        ticket: Ticket,
        blksize: u16,
        opened: Opened<I>,
        effects: &F,
    ) -> Result<u16, Opened<I>> {
        let (Some(tenant), Some(range)) = (self.slots.tenant(ticket.slot), &self.policy.groups)
        else {
            return Err(opened);
        };
        let route = tenant.route;
        let found = self.groups.find(|group| {
            group.transfer.blksize() == blksize
                && (group.route.socket, group.route.local) == (route.socket, route.local)
                && group.route.peer.ip().is_ipv4() == route.peer.ip().is_ipv4()
                && effects.same(&group.image, &opened.image)
                && group.has_room()
        });
        if let Some(id) = found {
            return Ok(id);
        }
        let (Some(route), Some(id)) = (
            self.groups.free_route(range, &route),
            self.groups.free_place(),
        ) else {
            return Err(opened);
        };
        let group = Group {
            route,
            image: opened.image,
            transfer: GroupTransfer::new(
                blksize,
                opened.size,
                now + range.gather.min(GATHER_ALONE),
            ),
            members: VecDeque::new(),
            since: now,
            sent: 0,
            newest: 0,
        };
        self.groups.put(id, group);
        Ok(id)
    }

    /// Tells a new member where to listen, or one that asked again.
    pub(super) fn welcome<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        ticket: Ticket,
        effects: &mut F,
    ) {
        let is_master =
            |group: &Group<I>| group.is_master(ticket) && !group.transfer.is_gathering();
        if self.groups.get(id).is_some_and(is_master) {
            self.elect(now, id, effects);
        } else {
            self.tell_anew(now, ticket, effects);
        }
    }

    /// An ACK from a member.
    pub(super) fn member_ack<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        ticket: Ticket,
        block: u16,
        effects: &mut F,
    ) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        if group.is_master(ticket) {
            let step = group.transfer.ack(now, block);
            self.group_act(now, id, step, effects);
        } else if u64::from(block) == group.transfer.last_block() {
            // RFC 2090: a client may end so although it is not the master.
            self.finish(now, ticket, Outcome::Completed, "", effects);
        } else if let Some(Phase::Listening(member)) = self.phase(ticket) {
            // Late, but there.
            member.missed = 0;
        }
    }

    /// A member's deadline passed, or the group's if it is the master.
    pub(super) fn member_timer<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        ticket: Ticket,
        effects: &mut F,
    ) {
        let Some(Phase::Listening(member)) = self.slots.get_mut(ticket).map(|it| &it.phase) else {
            return;
        };
        if self.groups.deadline_of(ticket, member) > now {
            return self.rearm(ticket);
        }
        match self.groups.get_mut(id) {
            Some(group) if group.is_master(ticket) => {
                let step = group.transfer.expired(now);
                self.group_act(now, id, step, effects);
            }
            _ => self.tell(now, ticket, effects),
        }
    }

    /// The disk has answered.
    pub(super) fn group_loaded<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        effects: &mut F,
    ) {
        if let Some(group) = self.groups.get_mut(id) {
            let step = group.transfer.loaded(now);
            self.group_act(now, id, step, effects);
        }
    }

    /// Sends a block to all members, or parks it until it is in memory.
    pub(super) fn group_send<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        blocks: BlockRange,
        effects: &mut F,
    ) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let Some(&ticket) = group.members.front() else {
            return;
        };
        let train = Train {
            ticket,
            blocks,
            blksize: group.transfer.blksize(),
            rollover: GroupTransfer::ROLLOVER,
            lockstep: true,
        };
        if !effects.resident(now, &group.image, train) {
            if !group.transfer.is_parked() {
                effects.parked();
            }
            group.transfer.park(now + DISK_ASK_AGAIN);
            return self.rearm(ticket);
        }
        if blocks.last() == group.transfer.last_block() && !effects.unchanged(&group.image) {
            return self.abort_group(now, id, FILE_CHANGED, effects);
        }
        effects.send_blocks(&group.route, &group.image, train);
        group.note_sent(blocks.first);
        self.rearm(ticket);
    }

    /// Ends the transfers of all members.
    pub(super) fn abort_group<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        why: Refusal<'_>,
        effects: &mut F,
    ) {
        let Some(group) = self.groups.remove(id) else {
            return;
        };
        let mut image = Some(group.image);
        self.counters.file_changed += u64::from(why.reason == FILE_CHANGED.reason);
        for ticket in group.members {
            if let Some(tenant) = self.evict(ticket) {
                let error = ErrorPacket::new(why.code, why.text);
                effects.send_packet(&tenant.route, error.as_bytes());
                let ending = Ending::new(Outcome::Aborted, why.reason);
                tenant.end(now, ticket, ending, image.take(), effects);
            }
        }
    }

    /// A member's transfer is over: the next one is elected, or the stream ends. Hands back the
    /// content with the last member.
    pub(super) fn leave<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        ticket: Ticket,
        effects: &mut F,
    ) -> Option<I> {
        let group = self.groups.get_mut(id)?;
        let was_master = group.is_master(ticket);
        group.members.retain(|member| *member != ticket);
        if group.members.is_empty() {
            return self.groups.remove(id).map(|group| group.image);
        }
        if was_master && !group.transfer.is_gathering() {
            self.elect(now, id, effects);
        } else if was_master && let Some(&first) = group.members.front() {
            self.rearm(first);
        }
        None
    }

    /// Begins the stream, unless there is a farm for which it is worth to wait.
    fn begin<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        first: Ticket,
        effects: &mut F,
    ) {
        let gather = self.policy.groups.map_or(Nanos::ZERO, |range| range.gather);
        match self.groups.get_mut(id) {
            Some(group) if group.members.len() > 1 && now < group.since + gather => {
                group.transfer.gather(group.since + gather);
                self.rearm(first);
            }
            _ => self.elect(now, id, effects),
        }
    }

    /// The first member becomes the master, or learns once more that it is.
    fn elect<F: Effects<Image = I>>(&mut self, now: Nanos, id: u16, effects: &mut F) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let missed = group
            .members
            .front()
            .and_then(|first| self.slots.tenant(first.slot));
        let missed = missed.map_or(0, |tenant| match &tenant.phase {
            Phase::Listening(member) => member.missed,
            _ => 0,
        });
        let step = group.transfer.elect(now, missed);
        self.group_act(now, id, step, effects);
    }

    fn group_act<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        step: GroupStep,
        effects: &mut F,
    ) {
        let Some(master) = self
            .groups
            .get(id)
            .and_then(|group| group.members.front())
            .copied()
        else {
            return;
        };
        match step {
            GroupStep::Nothing => self.rearm(master),
            GroupStep::Gathered => self.begin(now, id, master, effects),
            GroupStep::Oack => {
                self.send_member_oack(master, effects);
                self.rearm(master);
            }
            GroupStep::Send(blocks) => self.group_send(now, id, blocks, effects),
            GroupStep::MasterDone => self.finish(now, master, Outcome::Completed, "", effects),
            GroupStep::MasterAbsent => self.absent(now, id, master, effects),
            GroupStep::MasterLost(reason) => {
                self.finish(now, master, Outcome::TimedOut, reason, effects);
            }
            GroupStep::MasterSlow => self.rotate(now, id, master, effects),
        }
    }

    /// A member did not answer its election: it goes to the end of the line, or away.
    fn absent<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        master: Ticket,
        effects: &mut F,
    ) {
        let (Some(Phase::Listening(member)), Some(group)) = (
            self.slots.get_mut(master).map(|tenant| &mut tenant.phase),
            self.groups.get_mut(id),
        ) else {
            return;
        };
        member.missed += 1;
        if member.missed >= MASTER_CHANCES {
            let reason = "the client did not answer when it became the master";
            return self.finish(now, master, Outcome::TimedOut, reason, effects);
        }
        // It is not told that it stood back: if it is there, it will hear of its next election.
        group.members.rotate_left(1);
        self.elect(now, id, effects);
    }

    /// A slow master goes to the end of the line, if there is one.
    fn rotate<F: Effects<Image = I>>(
        &mut self,
        now: Nanos,
        id: u16,
        master: Ticket,
        effects: &mut F,
    ) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        if group.members.len() == 1 {
            let step = group.transfer.go_on(now);
            return self.group_act(now, id, step, effects);
        }
        group.members.rotate_left(1);
        self.tell_anew(now, master, effects);
        self.elect(now, id, effects);
    }

    fn tell_anew<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        if let Some(Phase::Listening(member)) = self.phase(ticket) {
            member.told = 0;
            self.tell(now, ticket, effects);
        }
    }

    /// Tells a member that it only listens. Nothing confirms that, so it is said a few times.
    fn tell<F: Effects<Image = I>>(&mut self, now: Nanos, ticket: Ticket, effects: &mut F) {
        let Some(Phase::Listening(member)) = self.phase(ticket) else {
            return;
        };
        if member.told >= MEMBER_OACKS {
            member.deadline = Nanos::NEVER;
            return;
        }
        member.told += 1;
        member.deadline = now + MEMBER_OACK_PAUSE.times(u64::from(member.told));
        self.send_member_oack(ticket, effects);
        self.rearm(ticket);
    }

    fn send_member_oack<F: Effects<Image = I>>(&self, ticket: Ticket, effects: &mut F) {
        if let Some(oack) = self.member_oack(ticket)
            && let Some(tenant) = self.slots.tenant(ticket.slot)
        {
            effects.send_packet(&tenant.route, &oack);
        }
    }

    /// What a member is told, with its present part.
    fn member_oack(&self, ticket: Ticket) -> Option<Box<[u8]>> {
        let tenant = self.slots.tenant(ticket.slot)?;
        let Phase::Listening(member) = &tenant.phase else {
            return None;
        };
        let group = self.groups.get(member.group)?;
        let offer = Offer {
            invitation: Some(Invitation {
                group: group.route.peer.to_addr(),
                master: group.is_master(ticket) && !group.transfer.is_gathering(),
            }),
            ..self
                .policy
                .offer(member.blksize, SizeSaid::Ours(member.size))
        };
        negotiate(&tenant.request()?.options, &offer).1
    }
}

#[cfg(test)]
mod tests;
