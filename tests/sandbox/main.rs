//! What a server cannot do once it serves: read other files, become another program, connect. And
//! that it starts, with a warning, where the kernel has less.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod child;
mod less;
mod process;
