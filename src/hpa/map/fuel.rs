//! How much work a request's name may cause.
//! It never refills.

use crate::limits::MAP_FUEL;

/// What is left.
#[derive(Debug)]
pub struct Fuel(usize);

/// The work was not done within its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Default for Fuel {
    /// What one request gets.
    fn default() -> Self {
        Self(MAP_FUEL)
    }
}

impl Fuel {
    pub(super) const fn burn(&mut self, amount: usize) -> Result<(), Exhausted> {
        match self.0.checked_sub(amount) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(Exhausted),
        }
    }
}
