//! The flags of `serve` as a layer of settings, in the words of the file.
//! It never fills in a default: what was not given is not there.

use toml::Spanned;

use super::file::{AccessTable, ClientsTable, File, LimitsTable, UploadTable};
use super::value::{Many, Parsed};
use crate::cli::{LimitArgs, ServeArgs, UploadArgs};

impl From<&ServeArgs> for File {
    fn from(args: &ServeArgs) -> Self {
        Self {
            root: args.root().map(|root| Spanned::new(0..0, root.to_owned())),
            listen: Many(args.listen.clone()),
            shards: args.shards,
            io: args.io,
            zero_copy: args.zero_copy,
            single_port: args.single_port,
            data_ports: args.data_ports.map(Parsed),
            max_blksize: args.max_blksize,
            max_windowsize: args.max_windowsize,
            msftwindow: args.msftwindow,
            multicast: Many(args.multicast.multicast.clone()),
            multicast_port: args.multicast.multicast_port,
            multicast_hops: args.multicast.multicast_hops,
            multicast_wait: args.multicast.multicast_wait,
            upload: (&args.upload).into(),
            frame_memory: args.frame_memory,
            drain_timeout: args.drain_timeout.map(|time| time.as_secs()),
            log: args.log,
            log_level: args.log_level,
            admin: args.admin.admin.map(Parsed),
            admin_token_file: args.admin.admin_token_file.clone(),
            map_file: args.map_file.clone(),
            user: args.sandbox.user.clone(),
            sandbox: args.sandbox.mode,
            access: AccessTable {
                allow: Many(args.allow.clone()),
                deny: Many(args.deny.clone()),
            },
            limits: limits(&args.limits),
            clients: ClientsTable {
                neighbours: args.neighbours,
                ..ClientsTable::default()
            },
            ..Self::default()
        }
    }
}

impl From<&UploadArgs> for UploadTable {
    fn from(args: &UploadArgs) -> Self {
        Self {
            dir: args.dir.clone().map(|dir| Spanned::new(0..0, dir)),
            policy: args.policy,
            allow: Many(args.allow.clone()),
            max_file: args.max_file.map(Parsed),
            max_client: args.max_client.map(Parsed),
            max_total: args.max_total.map(Parsed),
        }
    }
}

const fn limits(args: &LimitArgs) -> LimitsTable {
    LimitsTable {
        requests_per_second: args.requests_per_second,
        requests_burst: args.requests_burst,
        errors_per_second: args.errors_per_second,
        errors_burst: args.errors_burst,
        transfers_per_client: args.transfers_per_client,
        transfers: args.transfers,
    }
}
