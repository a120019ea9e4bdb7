//! Why an upload is refused or fails: what the client reads and what the operator reads.
//! It never tells a client a path or anything else about this machine.

use core::fmt;

use rustix::io::Errno;

use crate::files::OpenError;
use crate::wire::ErrorCode;

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadError {
    /// No file can have this name, or none that clients may write.
    Name(OpenError),
    /// The operator's naming policy leads to a root that takes no uploads.
    NoUploads(Box<str>),
    /// No `--upload-allow` matches.
    NotAllowed,
    /// Not everybody may write it (o+w), and only such files are written.
    NotPublic,
    /// There is a file already, and it is not to be replaced.
    Exists,
    /// Another upload of the name was complete sooner.
    Overtaken,
    /// Only existing files are replaced, and this is none.
    Missing,
    NoDirectory,
    /// More than the operator allows; which bound it is.
    Quota(&'static str),
    /// The file system has no room.
    NoSpace,
    Io(Errno),
}

impl UploadError {
    /// The code of the ERROR packet.
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Name(error) => error.error_code(),
            Self::NoUploads(_) | Self::NotAllowed | Self::NotPublic => ErrorCode::ACCESS_VIOLATION,
            Self::Exists | Self::Overtaken => ErrorCode::FILE_EXISTS,
            Self::Missing => ErrorCode::NOT_FOUND,
            // RFC 1350 has no better word for a place where nothing can be put.
            Self::NoDirectory => ErrorCode::ACCESS_VIOLATION,
            Self::Quota(_) | Self::NoSpace => ErrorCode::DISK_FULL,
            Self::Io(_) => ErrorCode::NOT_DEFINED,
        }
    }

    /// The text of the ERROR packet.
    #[must_use]
    pub fn client_text(&self) -> &str {
        match self {
            Self::Name(error) => error.client_text(),
            Self::NoUploads(_) => "Access violation",
            Self::NotAllowed => "This name may not be uploaded",
            Self::NotPublic => "File must have global write permissions",
            Self::Exists => "File already exists",
            Self::Overtaken => "Somebody else has just uploaded this file",
            Self::Missing => "File not found",
            Self::NoDirectory => "No such directory",
            Self::Quota(_) => "Allocation exceeded",
            Self::NoSpace => "Disk full",
            Self::Io(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
                "Server cannot take the file now, try again"
            }
            Self::Io(_) => "Server cannot store the file",
        }
    }
}

impl From<Errno> for UploadError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Self::NoSpace,
            Errno::EXIST => Self::Exists,
            // The directory, for a new file needs nothing else to exist.
            Errno::NOENT | Errno::NOTDIR => Self::NoDirectory,
            Errno::ROFS => Self::Name(OpenError::Denied("the file system is read-only")),
            Errno::ACCESS | Errno::PERM | Errno::XDEV | Errno::LOOP | Errno::ISDIR => {
                Self::Name(OpenError::from(errno))
            }
            Errno::NAMETOOLONG => Self::Name(OpenError::NameInvalid("name too long")),
            other => Self::Io(other),
        }
    }
}

impl From<std::io::Error> for UploadError {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
    }
}

impl From<OpenError> for UploadError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotFound => Self::NoDirectory,
            OpenError::Io(errno) => errno.into(),
            error => Self::Name(error),
        }
    }
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::NoUploads(root) => write!(f, "the root \"{root}\" takes no uploads"),
            Self::NotAllowed => f.write_str("no --upload-allow matches the name"),
            Self::NotPublic => f.write_str("not everybody may write it (chmod o+w)"),
            Self::Exists => f.write_str("the file exists, and --upload-policy is create"),
            Self::Overtaken => f.write_str("another upload of this name was complete sooner"),
            Self::Missing => f.write_str("no such file, and --upload-policy is existing"),
            Self::NoDirectory => f.write_str("no such directory"),
            Self::Quota(which) => write!(f, "more than {which} allows"),
            Self::NoSpace => f.write_str("the file system is full"),
            Self::Io(errno) => write!(f, "{errno}"),
        }
    }
}

impl core::error::Error for UploadError {}
