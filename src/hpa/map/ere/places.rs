//! A set of places in a name, one bit each.
//! It never holds a place beyond the name's end.

/// Places 0 (before the first byte) to the name's length (behind the last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    words: Vec<u64>,
    len: usize,
}

impl Places {
    pub(super) fn none(name_len: usize) -> Self {
        let words = vec![0; name_len / 64 + 1];
        let len = name_len;
        Self { words, len }
    }

    /// From `first` to `last`, both included.
    pub(super) fn range(name_len: usize, first: usize, last: usize) -> Self {
        let mut places = Self::none(name_len);
        for at in first..=last.min(name_len) {
            places.insert(at);
        }
        places
    }

    /// What one pass over the set costs: each word, and each place in it.
    pub(super) fn cost(&self) -> usize {
        let places = self.words.iter().map(|word| word.count_ones() as usize);
        self.words.len() + places.sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub(super) fn contains(&self, at: usize) -> bool {
        at <= self.len && self.words[at / 64] & (1 << (at % 64)) != 0
    }

    pub(super) fn last(&self) -> Option<usize> {
        self.up_to(self.len)
    }

    /// The last place that is not behind `at`.
    pub(super) fn up_to(&self, at: usize) -> Option<usize> {
        (0..=at.min(self.len)).rev().find(|&at| self.contains(at))
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    pub(super) fn remove(&mut self, other: &Self) {
        for (word, less) in self.words.iter_mut().zip(&other.words) {
            *word &= !less;
        }
    }

    pub(super) fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut places = Self::none(self.len);
        for at in self.iter().filter(|&at| keep(at)) {
            places.insert(at);
        }
        places
    }

    /// Each place whose byte is taken becomes the next one.
    pub(super) fn step(&self, takes: impl Fn(usize) -> bool) -> Self {
        let mut places = Self::none(self.len);
        for at in self.iter().filter(|&at| at < self.len && takes(at)) {
            places.insert(at + 1);
        }
        places
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            core::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(index * 64 + bit)
            })
        })
    }

    fn insert(&mut self, at: usize) {
        self.words[at / 64] |= 1 << (at % 64);
    }
}
