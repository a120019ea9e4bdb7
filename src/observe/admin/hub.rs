//! Looks at the farm a few times a second and tells all who watch the same.
//! It never takes more than a hundredth of a core: where a look is dear, looks are rarer.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam::channel::Receiver;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::clock;
use crate::hosts::{Directory, Hosts};
use crate::limits::{FARM_LOOKUPS, FARM_PAUSE, FARM_PAUSE_MAX, FARM_SHARE};
use crate::observe::farm::Farm;
use crate::observe::farm::view::{Detail, Look, Summary};
use crate::observe::health::Health;
use crate::observe::live::Eye;
use crate::observe::record::Record;
use crate::transfer::Nanos;

/// Looks that a slow watcher may be behind; then it gets everything anew.
const LOOKS_KEPT: usize = 4;

/// Where the farm is seen from.
pub struct Sources {
    pub health: Arc<Health>,
    /// One for each shard.
    pub eyes: Vec<Eye>,
    /// Requests that have ended.
    pub ended: Receiver<Record>,
    pub hosts: Arc<Directory>,
    /// Wakes every shard.
    pub wake: Box<dyn Fn() + Send + Sync>,
    /// The backends' names.
    pub io: String,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// The one who watches for all.
#[derive(Debug)]
pub struct Hub {
    sources: Sources,
    sight: Mutex<Sight>,
    looks: broadcast::Sender<Bytes>,
}

#[derive(Debug, Default)]
struct Sight {
    farm: Farm,
    /// Who was asked for the machines' names.
    asked: Arc<Hosts>,
    /// Bytes that all shards had sent at the last look, and when that was.
    sent: u64,
    at: Nanos,
    rate: u64,
}

impl Hub {
    pub fn new(sources: Sources) -> Self {
        Self {
            sources,
            sight: Mutex::default(),
            looks: broadcast::Sender::new(LOOKS_KEPT),
        }
    }

    /// Watches for ever.
    pub async fn watch(self: Arc<Self>) {
        let mut pause = FARM_PAUSE;
        loop {
            tokio::time::sleep(pause.to_duration()).await;
            let before = clock::own_cpu();
            self.look();
            let cost = clock::own_cpu() - before;
            pause = cost.times(FARM_SHARE).clamp(FARM_PAUSE, FARM_PAUSE_MAX);
        }
    }

    /// What everybody is told from here on.
    pub fn listen(&self) -> broadcast::Receiver<Bytes> {
        self.looks.subscribe()
    }

    /// Everything, for one who begins to watch.
    pub fn everything(&self) -> Bytes {
        let now = clock::now();
        let mut sight = self.sight();
        let summary = self.summary(&mut sight, now);
        sight.farm.judge(now);
        event(&sight.farm.show(now, summary))
    }

    pub fn detail(&self, id: u32) -> Option<Detail> {
        self.sight().farm.detail(id, clock::now())
    }

    fn look(&self) {
        let now = clock::now();
        let watched = self.looks.receiver_count() > 0;
        let mut sight = self.sight();
        for record in self.sources.ended.try_iter() {
            sight.farm.record(&record, now);
        }
        if !watched {
            return sight.farm.rest();
        }
        self.identify(&mut sight, now);
        self.take_pictures(&mut sight.farm, now);
        let summary = self.summary(&mut sight, now);
        let look = sight.farm.look(now, summary);
        drop(sight);
        // Shards that sleep would show their next picture only at their next heartbeat.
        self.sources.eyes.iter().for_each(Eye::ask);
        (self.sources.wake)();
        let _ = self.looks.send(event(&look));
    }

    /// Takes what the shards have shown since they were asked.
    fn take_pictures(&self, farm: &mut Farm, now: Nanos) {
        for (shard, eye) in self.sources.eyes.iter().enumerate() {
            while let Some(piece) = eye.piece() {
                for seen in &piece.rows {
                    farm.glimpse(shard, seen, now);
                }
                if piece.last {
                    farm.picture_done(shard);
                }
                eye.give_back(piece.rows);
            }
        }
    }

    fn identify(&self, sight: &mut Sight, now: Nanos) {
        let hosts = self.sources.hosts.current();
        let farm = &mut sight.farm;
        if !Arc::ptr_eq(&sight.asked, &hosts) {
            farm.forget_names();
            sight.asked = Arc::clone(&hosts);
        }
        for ip in farm.nameless(FARM_LOOKUPS, now) {
            let known = hosts.look_up(ip, None);
            let mac = known.mac.map(|mac| mac.to_string()).unwrap_or_default();
            farm.name(ip, &mac, known.hostname.as_deref().unwrap_or_default(), now);
        }
    }

    fn summary(&self, sight: &mut Sight, now: Nanos) -> Summary {
        let shards = self.sources.health.shards();
        let sent: u64 = shards.iter().map(|shard| shard.sent_bytes.get()).sum();
        let active: u64 = shards.iter().map(|shard| shard.active.get()).sum();
        let span = now - sight.at;
        if span >= FARM_PAUSE {
            let bytes = u128::from(sent.saturating_sub(sight.sent)) * 1_000_000_000;
            sight.rate = u64::try_from(bytes / u128::from(span.0)).unwrap_or(0);
            (sight.sent, sight.at) = (sent, now);
        }
        Summary {
            transfers: u32::try_from(active).unwrap_or(u32::MAX),
            rate: sight.rate,
            shards: u32::try_from(shards.len()).unwrap_or(u32::MAX),
            io: self.sources.io.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            draining: self.sources.health.is_draining(),
            ..Summary::default()
        }
    }

    fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server-sent event: one line of JSON.
fn event(look: &Look) -> Bytes {
    let mut text = String::from("data: ");
    text.push_str(&json(look));
    text.push_str("\n\n");
    text.into()
}

/// Our own types have no maps with keys that JSON lacks, so this always succeeds.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
