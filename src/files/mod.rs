//! Turns a client's name into an open, shared [`Image`].
//! It never runs on a shard's thread: opening may wait for a disk.

mod image;

pub use image::Image;
