//! Why a file is not served: the words for the client and those for the operator.
//! It never tells a client where the root is.

use core::fmt;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use crate::wire::ErrorCode;

/// A request's file cannot be opened. Cheap to clone: many requests may share one failure.
#[derive(Debug, Clone)]
pub enum OpenError {
    NotFound,
    /// The name leads out of the root, or the file may not be read.
    Denied(&'static str),
    /// A directory, device, FIFO or socket.
    NotRegular,
    /// Empty, too long, or with a NUL.
    InvalidName(&'static str),
    /// Too large to be translated to netascii.
    TooLarge,
    /// Written to while it was read for translation.
    Changing,
    Io(Arc<io::Error>),
}

impl OpenError {
    /// The code for the client (RFC 1350, appendix).
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NOT_FOUND,
            Self::Denied(_) | Self::NotRegular | Self::InvalidName(_) => {
                ErrorCode::ACCESS_VIOLATION
            }
            Self::TooLarge | Self::Changing | Self::Io(_) => ErrorCode::NOT_DEFINED,
        }
    }

    /// The text for the client.
    #[must_use]
    pub const fn client_text(&self) -> &'static str {
        match self {
            Self::NotFound => "File not found",
            Self::Denied(_) => "Access violation",
            Self::NotRegular => "Not a regular file",
            Self::InvalidName(_) => "Invalid file name",
            Self::TooLarge => "File too large for netascii; use octet",
            Self::Changing => "The file is being written; ask again",
            Self::Io(_) => "The server cannot open the file now",
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file"),
            Self::Denied(why) | Self::InvalidName(why) => f.write_str(why),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::TooLarge => f.write_str("too large for netascii"),
            Self::Changing => f.write_str("changed while it was read"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::NotFound,
            Errno::ACCESS | Errno::PERM => Self::Denied("the server may not read the file"),
            Errno::XDEV => Self::Denied("the name leads out of the root"),
            Errno::LOOP => Self::Denied("too many symbolic links, or a link to a process"),
            Errno::NAMETOOLONG => Self::InvalidName("the name is too long"),
            // What opening a socket, or a device without a driver, says.
            Errno::NXIO | Errno::NODEV | Errno::ISDIR => Self::NotRegular,
            other => Self::from(io::Error::from(other)),
        }
    }
}
