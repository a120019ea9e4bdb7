//! Layers of settings, one over the other: the file, the environment, the flags.
//! It never knows which layer is which.

use std::collections::BTreeMap;

use super::file::{AccessTable, ClientsTable, File, LimitsTable, UploadTable};
use super::value::Many;

/// What can be laid over another of its kind: what it says wins, what it leaves out stays.
pub(super) trait Lay {
    fn lay(&mut self, over: Self);
}

impl<T> Lay for Option<T> {
    fn lay(&mut self, over: Self) {
        if over.is_some() {
            *self = over;
        }
    }
}

impl<T> Lay for Many<T> {
    fn lay(&mut self, over: Self) {
        if !over.is_empty() {
            *self = over;
        }
    }
}

impl<T> Lay for Vec<T> {
    fn lay(&mut self, over: Self) {
        if !over.is_empty() {
            *self = over;
        }
    }
}

impl<K: Ord, V> Lay for BTreeMap<K, V> {
    fn lay(&mut self, over: Self) {
        self.extend(over);
    }
}

/// Every field: the compiler misses one that is not listed.
macro_rules! lay_each {
    ($table:ident: $($field:ident)*) => {
        impl Lay for $table {
            fn lay(&mut self, over: Self) {
                let Self { $($field),* } = over;
                $(self.$field.lay($field);)*
            }
        }
    };
}

lay_each!(AccessTable: allow deny);
lay_each!(UploadTable: dir policy allow max_file max_client max_total);
lay_each!(LimitsTable: requests_per_second requests_burst errors_per_second errors_burst
    transfers_per_client transfers);
lay_each!(ClientsTable: neighbours leases);
lay_each!(File: version root listen shards io zero_copy single_port data_ports max_blksize
    max_windowsize msftwindow multicast multicast_port multicast_hops multicast_wait upload
    frame_memory drain_timeout log log_level user sandbox admin
    admin_token_file map_file access limits clients host
    roots rule templates);

impl File {
    /// Lays `over` on top. Where two settings exclude each other, the upper layer's wins over the
    /// lower one's.
    pub(super) fn cover(&mut self, over: Self) {
        if over.root.is_some()
            && let Some(table) = self.roots.get_mut("default")
        {
            table.path = None;
        }
        if over.single_port == Some(true) {
            self.data_ports = None;
        } else if over.data_ports.is_some() {
            self.single_port = None;
        }
        self.lay(over);
    }
}
