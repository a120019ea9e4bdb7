//! Turns a client's name into an open, shared [`Image`].
//! It never runs on a shard's thread: opening may wait for a disk.

mod batch;
mod catalog;
mod copy;
mod error;
mod escape;
mod finder;
mod fold;
mod framed;
mod framer;
mod identity;
mod image;
mod job;
mod lanes;
mod loader;
mod memory;
mod opener;
mod path;
mod pool;
mod quick;
mod reader;
mod residency;
mod root;
mod storage;
mod turns;
pub mod upload;
mod walk;

pub use catalog::Catalog;
pub use error::OpenError;
pub use escape::Escaped;
pub use finder::{Finder, Found, Wish};
pub use framer::FrameMemory;
pub use image::Image;
pub use job::{Deliver, Job, Opened};
pub use loader::Loader;
pub use path::RelPath;
pub use root::{Resolver, Root, RootError};
