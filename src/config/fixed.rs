//! Which settings a running server cannot change, because threads and sockets were made by them.
//! It never decides what becomes of the others.

use super::File;

impl File {
    /// Takes over from the settings in force what needs a restart to change. The names of those
    /// that were to change.
    pub fn keep_fixed(&mut self, running: &Self) -> Vec<&'static str> {
        let mut kept = Vec::new();
        macro_rules! keep {
            ($($name:literal: $($field:ident).+;)*) => {
                $(if self.$($field).+ != running.$($field).+ {
                    kept.push($name);
                    self.$($field).+.clone_from(&running.$($field).+);
                })*
            };
        }
        keep! {
            "listen": listen;
            "shards": shards;
            "io": io;
            "zero-copy": zero_copy;
            "single-port": single_port;
            "data-ports": data_ports;
            "msftwindow": msftwindow;
            "multicast": multicast;
            "multicast-port": multicast_port;
            "multicast-hops": multicast_hops;
            "multicast-wait": multicast_wait;
            "frame-memory": frame_memory;
            "log": log;
            "user": user;
            "sandbox": sandbox;
            "admin": admin;
            "admin-token-file": admin_token_file;
        }
        kept
    }
}
