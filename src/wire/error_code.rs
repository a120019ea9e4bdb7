//! The error codes of RFC 1350 (appendix) and RFC 2347 (section "Packet Formats").
//! It never carries a text: what a client may read is chosen where the error arises.

/// The code of an ERROR packet. Peers may send any 16-bit value, so it stays a number with names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    /// 0: see the message. Clients also send it to stop after learning a size.
    pub const NOT_DEFINED: Self = Self(0);
    /// 1: file not found.
    pub const NOT_FOUND: Self = Self(1);
    /// 2: access violation.
    pub const ACCESS_VIOLATION: Self = Self(2);
    /// 3: disk full or allocation exceeded.
    pub const DISK_FULL: Self = Self(3);
    /// 4: illegal TFTP operation.
    pub const ILLEGAL_OPERATION: Self = Self(4);
    /// 5: unknown transfer ID.
    pub const UNKNOWN_TID: Self = Self(5);
    /// 6: file already exists.
    pub const FILE_EXISTS: Self = Self(6);
    /// 7: no such user.
    pub const NO_SUCH_USER: Self = Self(7);
    /// 8: option negotiation failed (RFC 2347).
    pub const OPTION_REFUSED: Self = Self(8);
}
