//! One file's content, opened and mapped once, shared by every transfer of it.
//! It never lets our own code read the mapping: only the kernel does, so truncation is an error
//! code and not a signal.

/// A stand-in shape; the fields come with `files`.
#[derive(Debug)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Image {
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// Bytes that a client receives.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Address of the byte at `offset`, for the kernel alone. Valid for `size() - offset` bytes as
    /// long as the image lives; the pages behind it may be gone when the file was truncated.
    #[must_use]
    pub fn address(&self, offset: u64) -> *const u8 {
        self.bytes.as_ptr().wrapping_add(offset as usize)
    }

    /// Whether the file on disk is still the one that was opened (one fstat).
    #[must_use]
    pub fn unchanged(&self) -> bool {
        true
    }
}
