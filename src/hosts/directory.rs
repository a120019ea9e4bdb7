//! The sources of names that are in force, for who watches the farm: a reload puts others in their place.
//! It never looks anything up itself.

use std::sync::{Arc, Mutex, PoisonError};

use super::Hosts;

/// Shared by the reloader, which writes, and the farm's watcher, which reads.
#[derive(Debug, Default)]
pub struct Directory {
    hosts: Mutex<Arc<Hosts>>,
}

impl Directory {
    #[must_use]
    pub fn new(hosts: Hosts) -> Self {
        let hosts = Mutex::new(Arc::new(hosts));
        Self { hosts }
    }

    /// From here on these are asked.
    pub fn renew(&self, hosts: Hosts) {
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(hosts);
    }

    /// Whom to ask now.
    #[must_use]
    pub fn current(&self) -> Arc<Hosts> {
        Arc::clone(&self.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
