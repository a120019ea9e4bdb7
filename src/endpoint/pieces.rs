//! A sequence in pieces of a fixed length, which grows without moving what it holds.
//! It never shrinks: places are reused.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Places in a piece. A sequence in one piece that doubles would at its worst take twice the
/// memory that its tenants need, and would be copied in the middle of a burst.
pub const PIECE: usize = 512;

/// `T`s by their place.
#[derive(Debug)]
pub struct Pieces<T> {
    pieces: Vec<Box<[T]>>,
}

impl<T> Pieces<T> {
    pub const fn new() -> Self {
        Self { pieces: Vec::new() }
    }

    pub fn get(&self, place: u32) -> Option<&T> {
        let place = place as usize;
        self.pieces.get(place / PIECE)?.get(place % PIECE)
    }

    pub fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        let place = place as usize;
        self.pieces.get_mut(place / PIECE)?.get_mut(place % PIECE)
    }

    /// Whether every place below `count` is there.
    pub const fn has_room(&self, count: usize) -> bool {
        count <= self.pieces.len() * PIECE
    }

    /// One more piece, of `places` places at most: the last one may be shorter than the others.
    pub fn grow(&mut self, places: usize, vacant: impl FnMut() -> T) {
        let places = places.min(PIECE);
        self.pieces
            .push(core::iter::repeat_with(vacant).take(places).collect());
    }
}
