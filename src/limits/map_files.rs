//! Map files of tftp-hpa.

/// A map file; the largest that are known have some hundred lines.
pub const MAP_FILE_MAX: u64 = 1 << 20;

/// A line of it. in.tftpd breaks longer ones.
pub const MAP_LINE_MAX: usize = 16 << 10;

/// Parentheses and repetitions within one another: matching goes as deep, on a thread's stack.
pub const MAP_ERE_DEPTH: usize = 200;

/// `RE_DUP_MAX` of glibc.
pub const MAP_ERE_REPEAT: u32 = 32_767;

/// Rules run for one request, as in.tftpd 5.2 has it (`rs` rules may go round for ever)...
pub const MAP_STEPS: u32 = 1_024;

/// ...and as later versions have it.
pub const MAP_STEPS_LATER: u32 = 4_096;

/// Replacements by `g` rules for one request. in.tftpd 5.2 goes on for ever with some rules.
pub const MAP_REPLACEMENTS: u32 = 4_096;

/// A name on its way through the rules; no file can be opened by a longer one.
pub const MAP_NAME_MAX: usize = 4_096;

/// Steps of the matcher for one request, about 20 ms. Ordinary rules take some thousand; an
/// expression of many nested repetitions on a long name could take minutes.
pub const MAP_FUEL: usize = 16 << 20;
