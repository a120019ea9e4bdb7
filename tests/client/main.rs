//! `ringboot get` and `ringboot probe` as programs, against servers that follow a script.
//! It never needs a port below 1024, a network or another TFTP server.

mod get;
mod probe;
mod script;
mod trouble;
