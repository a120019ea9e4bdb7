//! Starts the thread that shows operators how the server does.
//! It never shows anything itself.

use std::sync::Arc;

use crossbeam::channel::never;

use super::ServeError;
use super::sandbox::Report;
use super::threads::{Crew, spawn};
use crate::files::FrameMemory;
use crate::hosts::Directory;
use crate::observe::admin::{self, Admin, Desk, Hub};
use crate::observe::metrics::{self, Metrics};
use crate::shard::Address;

/// Serves the admin port from here on.
pub fn start(
    admin: Admin,
    crew: &mut Crew,
    hosts: &Arc<Directory>,
    sandbox: &Report,
) -> Result<(), ServeError> {
    let addr = admin.addr();
    let addr = addr.map_err(|error| ServeError::System("name the admin port", error))?;
    let metrics = Metrics::new(metrics::Sources {
        health: Arc::clone(&crew.health),
        backends: crew.started.backends.clone(),
        reloads: Arc::clone(&crew.reloads),
        frames: Arc::<FrameMemory>::clone(&crew.frames),
        sandbox: sandbox.measures(),
    });
    let addresses = crew.addresses.clone();
    let hub = Hub::new(admin::Sources {
        health: Arc::clone(&crew.health),
        eyes: std::mem::take(&mut crew.eyes),
        ended: crew.ended.take().unwrap_or_else(never),
        hosts: Arc::clone(hosts),
        wake: Box::new(move || addresses.iter().for_each(Address::wake)),
        io: crew.started.io.clone(),
    });
    let desk = Desk::new(Arc::clone(&crew.health), metrics, hub);
    spawn("ringboot-admin", move || {
        if let Err(error) = admin.serve(desk) {
            tracing::error!("the admin port is closed: {error}");
        }
    })?;
    crew.log.notice(&format!("admin port: http://{addr}/"));
    Ok(())
}

impl metrics::Frames for FrameMemory {
    fn bytes(&self) -> u64 {
        self.used()
    }

    fn limit(&self) -> u64 {
        self.limit()
    }

    fn refused(&self) -> u64 {
        self.refused()
    }
}
