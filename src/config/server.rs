//! The settings of the server itself, with their defaults.
//! It never sees the flags, which win.

use super::File;
use crate::cli::{AdminAddr, IoBackend, Listen, LogFormat, PortRange, ZeroCopy};
use crate::limits::{DEFAULT_MAX_WINDOWSIZE, DRAIN_SECS, FRAME_MEMORY_MIB};

/// What the file says about the server, or the default where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Empty: port 69 on every address.
    pub listen: Vec<Listen>,
    /// `None`: one for each core.
    pub shards: Option<u16>,
    pub io: IoBackend,
    pub zero_copy: ZeroCopy,
    pub single_port: bool,
    pub data_ports: Option<PortRange>,
    /// `None`: what fits the MTU.
    pub max_blksize: Option<u16>,
    pub max_windowsize: u16,
    /// In MiB.
    pub frame_memory: u64,
    /// In seconds.
    pub drain_timeout: u64,
    pub log: LogFormat,
    /// `None`: there is no admin port.
    pub admin: Option<AdminAddr>,
}

impl File {
    #[must_use]
    pub fn server(&self) -> Server {
        Server {
            listen: self.listen.0.clone(),
            shards: self.shards,
            io: self.io.unwrap_or(IoBackend::Auto),
            zero_copy: self.zero_copy.unwrap_or(ZeroCopy::Auto),
            single_port: self.single_port.unwrap_or(false),
            data_ports: self.data_ports.as_ref().map(|range| range.0),
            max_blksize: self.max_blksize,
            max_windowsize: self.max_windowsize.unwrap_or(DEFAULT_MAX_WINDOWSIZE),
            frame_memory: self.frame_memory.unwrap_or(FRAME_MEMORY_MIB),
            drain_timeout: self.drain_timeout.unwrap_or(DRAIN_SECS),
            log: self.log.unwrap_or(LogFormat::Auto),
            admin: self.admin.as_ref().map(|addr| addr.0),
        }
    }
}
