//! The settings of the server itself, with their defaults.
//! It never knows who asked for them: the file, the environment or a flag.

use super::File;
use super::file::{ClientsTable, LimitsTable, UploadTable, VERSION};
use crate::cli::{
    AdminAddr, IoBackend, Listen, LogFormat, LogLevel, PortRange, Sandbox, UploadPolicy, ZeroCopy,
};
use crate::limits::{
    DEFAULT_MAX_WINDOWSIZE, DRAIN_SECS, FRAME_MEMORY_MIB, GATHER_SECS, MULTICAST_PORT,
};

/// What the settings say about the server, or the default where they say nothing.
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
    pub msftwindow: bool,
    pub multicast_port: u16,
    pub multicast_hops: u8,
    /// In seconds.
    pub multicast_wait: u64,
    pub upload_policy: UploadPolicy,
    /// In MiB.
    pub frame_memory: u64,
    /// In seconds.
    pub drain_timeout: u64,
    pub log: LogFormat,
    pub log_level: LogLevel,
    /// `None`: there is no admin port.
    pub admin: Option<AdminAddr>,
    pub user: Option<String>,
    pub sandbox: Sandbox,
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
            msftwindow: self.msftwindow.unwrap_or(false),
            multicast_port: self.multicast_port.unwrap_or(MULTICAST_PORT),
            multicast_hops: self.multicast_hops.unwrap_or(1),
            multicast_wait: self.multicast_wait.unwrap_or(GATHER_SECS),
            upload_policy: self.upload.policy.unwrap_or_default(),
            frame_memory: self.frame_memory.unwrap_or(FRAME_MEMORY_MIB),
            drain_timeout: self.drain_timeout.unwrap_or(DRAIN_SECS),
            log: self.log.unwrap_or(LogFormat::Auto),
            log_level: self.log_level.unwrap_or(LogLevel::Info),
            admin: self.admin.as_ref().map(|addr| addr.0),
            user: self.user.clone(),
            sandbox: self.sandbox.unwrap_or(Sandbox::Auto),
        }
    }

    /// The same settings with every default written out that can be.
    #[must_use]
    pub fn filled(&self) -> Self {
        let server = self.server();
        let access = self.access();
        Self {
            version: Some(VERSION),
            io: Some(server.io),
            zero_copy: Some(server.zero_copy),
            single_port: Some(server.single_port),
            max_windowsize: Some(server.max_windowsize),
            msftwindow: Some(server.msftwindow),
            multicast_port: Some(server.multicast_port),
            multicast_hops: Some(server.multicast_hops),
            multicast_wait: Some(server.multicast_wait),
            upload: UploadTable {
                policy: Some(server.upload_policy),
                ..self.upload.clone()
            },
            frame_memory: Some(server.frame_memory),
            drain_timeout: Some(server.drain_timeout),
            log: Some(server.log),
            log_level: Some(server.log_level),
            sandbox: Some(server.sandbox),
            limits: LimitsTable {
                requests_per_second: Some(access.requests.per_second),
                requests_burst: Some(access.requests.burst),
                errors_per_second: Some(access.errors.per_second),
                errors_burst: Some(access.errors.burst),
                transfers_per_client: Some(access.per_client),
                transfers: Some(access.total),
            },
            clients: ClientsTable {
                neighbours: Some(self.clients.neighbours.unwrap_or(true)),
                leases: self.clients.leases.clone(),
            },
            ..self.clone()
        }
    }
}
