//! The subcommands that need no server: their arguments and what they do.
//! They never print on standard output what is not their result.

pub mod make_root;
