//! What ringboot promises to operators of tftp-hpa: map files, flags and sockets as in.tftpd has them.
//! It never compares with a text about in.tftpd where it can ask the real one.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod ere;
mod hostile;
