//! Why a name did not become an image: what the client reads and what the operator reads.
//! It never tells a client a path or anything else about this machine.

use core::fmt;
use std::sync::Arc;

use rustix::io::Errno;

use crate::names::Denial;
use crate::wire::ErrorCode;

/// Why a file is not served. Copied to every transfer that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    NotFound,
    /// It may exist, but not for clients; the reason is for the operator.
    Denied(&'static str),
    /// Not everybody may read it (o+r), and only such files are served.
    NotPublic,
    /// A directory, a pipe, a device, a socket.
    NotRegular,
    /// No file can have this name; the reason is for the operator.
    NameInvalid(&'static str),
    /// More than we copy (netascii). Files that are mapped know no such bound.
    TooLarge,
    /// Somebody wrote to the file each time it was read.
    Changing,
    /// Too many bytes of copies in use by others.
    Busy,
    Io(Errno),
    /// The operator's naming policy refuses it.
    Refused(Arc<Denial>),
}

impl OpenError {
    /// The code of the ERROR packet.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NOT_FOUND,
            Self::Denied(_) | Self::NotPublic | Self::NotRegular | Self::NameInvalid(_) => {
                ErrorCode::ACCESS_VIOLATION
            }
            Self::TooLarge | Self::Changing | Self::Busy | Self::Io(_) => ErrorCode::NOT_DEFINED,
            Self::Refused(denial) => ErrorCode(denial.code),
        }
    }

    /// The text of the ERROR packet.
    #[must_use]
    pub fn client_text(&self) -> &str {
        match self {
            Self::NotFound => "File not found",
            Self::Denied(_) => "Access violation",
            Self::NotPublic => "File must have global read permissions",
            Self::NotRegular => "Not a regular file",
            Self::NameInvalid(_) => "Invalid file name",
            Self::TooLarge => "File too large for netascii",
            Self::Changing => "File is being changed, try again",
            Self::Busy => "Server is busy, try again",
            Self::Io(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
                "Server cannot open the file now, try again"
            }
            Self::Io(_) => "Server cannot read the file",
            Self::Refused(denial) => &denial.text,
        }
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        match errno {
            // A file system with shorter names than ours has no file of that name either.
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Self::NotFound,
            Errno::ACCESS | Errno::PERM => Self::Denied("no permission"),
            Errno::XDEV => Self::Denied("leads outside the root"),
            Errno::LOOP => Self::Denied("too many symbolic links"),
            Errno::ISDIR | Errno::NXIO => Self::NotRegular,
            other => Self::Io(other),
        }
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file"),
            Self::Denied(reason) | Self::NameInvalid(reason) => f.write_str(reason),
            Self::NotPublic => f.write_str("not everybody may read it (chmod o+r)"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::TooLarge => f.write_str("too large to be copied or translated"),
            Self::Changing => f.write_str("changed while it was read"),
            Self::Busy => f.write_str("too much memory in translated files"),
            Self::Io(errno) => write!(f, "{errno}"),
            Self::Refused(denial) => f.write_str(&denial.reason),
        }
    }
}

impl core::error::Error for OpenError {}
