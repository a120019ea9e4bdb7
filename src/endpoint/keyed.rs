//! The keyed hash of the demultiplexing table and of the limits by address: std's SipHash-1-3, which the compiler inlines here.
//! It never draws its keys: who starts an endpoint does, anew each time, since clients choose their addresses.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// Hashes with two secret keys.
#[derive(Debug, Clone, Copy)]
pub struct Keyed(SipHasher13);

impl Keyed {
    pub fn new(keys: [u64; 2]) -> Self {
        let [first, second] = keys;
        Self(SipHasher13::new_with_keys(first, second))
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    #[inline]
    fn build_hasher(&self) -> SipHasher13 {
        self.0
    }
}
