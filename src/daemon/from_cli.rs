//! The command line's words as the daemon's options.
//! It never checks a value: the command line did.

use core::net::SocketAddr;

use super::Options;
use crate::cli::{self, IoBackend, Listen as Asked, MulticastArgs, ServeArgs};
use crate::endpoint::{GroupRange, Policy};
use crate::shard::{IoChoice, Listen, Plan, Settings, ZeroCopy};

impl From<&ServeArgs> for Options {
    fn from(args: &ServeArgs) -> Self {
        Self {
            root: args.root().to_owned(),
            listen: listen(&args.listen),
            shards: args.shards,
            io: match args.io {
                IoBackend::Auto => IoChoice::Auto,
                IoBackend::Uring => IoChoice::Uring,
                IoBackend::Epoll => IoChoice::Epoll,
            },
            zero_copy: match args.zero_copy {
                cli::ZeroCopy::Auto => ZeroCopy::Auto,
                cli::ZeroCopy::Off => ZeroCopy::Off,
            },
            single_port: args.single_port,
            data_ports: args.data_ports.map(|range| range.ports().into_inner()),
            frame_memory: args.frame_memory << 20,
            multicast_hops: args.multicast.multicast_hops,
            settings: Settings {
                policy: Policy {
                    max_windowsize: args.max_windowsize,
                    groups: groups(&args.multicast),
                    ..Policy::default()
                },
                max_blksize: args.max_blksize,
                drain_timeout: args.drain_timeout.into(),
                shard: 0,
                shards: 1,
            },
        }
    }
}

fn groups(args: &MulticastArgs) -> Option<GroupRange> {
    let (v4, v6) = (args.v4(), args.v6());
    (v4.is_some() || v6.is_some()).then(|| GroupRange {
        v4,
        v6,
        port: args.multicast_port,
        gather: args.wait().into(),
    })
}

fn listen(asked: &[Asked]) -> Vec<Listen> {
    if asked.is_empty() {
        return Plan::default_listen();
    }
    asked.iter().flat_map(addresses).collect()
}

/// A port alone means every address, of IPv6 only where the host speaks it.
fn addresses(asked: &Asked) -> Vec<Listen> {
    match asked.ip {
        Some(ip) => vec![Listen {
            addr: SocketAddr::new(ip, asked.port),
            optional: false,
        }],
        None => Plan::default_listen()
            .into_iter()
            .map(|mut listen| {
                listen.addr.set_port(asked.port);
                listen
            })
            .collect(),
    }
}
