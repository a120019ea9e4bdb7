//! Turns bytes into borrowed TFTP packet views and back (RFC 1350, 2347).
//! It never keeps state, never allocates and never decides what a packet means for a transfer.

pub mod error_code;
pub mod netascii;
pub mod options;
pub mod packet;

pub use error_code::ErrorCode;
pub use options::{OackBuilder, OptionName, OptionSet, Options};
pub use packet::{DecodeError, HEADER_LEN, Mode, Packet, Request, decode};
