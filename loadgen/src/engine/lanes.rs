//! Which socket, and so which port, a machine's next transfer uses.
//! It never opens one.

use std::collections::VecDeque;

use super::link::Lane;

/// The sockets of a thread, given out.
pub enum Lanes {
    /// Few sockets that speak for all machines, each with an address of its own.
    Shared { count: Lane },
    /// A socket belongs to one machine at a time; the longest unused is taken next.
    Owned {
        free: VecDeque<Lane>,
        owners: Vec<Option<u32>>,
    },
}

impl Lanes {
    pub const fn shared(count: Lane) -> Self {
        Self::Shared { count }
    }

    pub fn owned(count: Lane) -> Self {
        Self::Owned {
            free: (0..count).collect(),
            owners: vec![None; count as usize],
        }
    }

    /// The next one for a machine that had `last`. Nobody else may have it until it is returned.
    pub fn take(&mut self, machine: u32, last: Lane) -> Lane {
        match self {
            Self::Shared { count } => (last + 1) % (*count).max(1),
            Self::Owned { free, owners } => {
                let lane = free.pop_front().unwrap_or(last);
                if let Some(owner) = owners.get_mut(lane as usize) {
                    *owner = Some(machine);
                }
                lane
            }
        }
    }

    pub fn give_back(&mut self, lane: Lane) {
        if let Self::Owned { free, owners } = self
            && let Some(owner) = owners.get_mut(lane as usize)
            && owner.take().is_some()
        {
            free.push_back(lane);
        }
    }

    /// Whose an owned socket is.
    pub fn owner(&self, lane: Lane) -> Option<u32> {
        match self {
            Self::Shared { .. } => None,
            Self::Owned { owners, .. } => owners.get(lane as usize).copied().flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_sockets_go_round() {
        let mut lanes = Lanes::shared(3);
        assert_eq!(lanes.take(0, 1), 2);
        assert_eq!(lanes.take(0, 2), 0);
    }

    #[test]
    fn owned_sockets_rest_before_they_are_used_again() {
        let mut lanes = Lanes::owned(3);
        assert_eq!((lanes.take(7, 0), lanes.take(8, 0)), (0, 1));
        assert_eq!(lanes.owner(1), Some(8));
        lanes.give_back(0);
        assert_eq!(lanes.owner(0), None);
        assert_eq!((lanes.take(8, 1), lanes.take(8, 2)), (2, 0));
    }
}
