//! Sums over transfers and worlds: how much was simulated, and what a lost datagram costs.
//! It never judges.

use std::collections::BTreeMap;
use std::fmt;

use ringboot::transfer::Nanos;

use super::live::Live;

#[derive(Debug, Default, Clone)]
pub struct Totals {
    pub worlds: u64,
    pub admitted: u64,
    pub reports: u64,
    pub turned_away: u64,
    pub fetches: u64,
    pub completed: u64,
    pub failed: u64,
    pub tainted: u64,
    /// To the server.
    pub datagrams: u64,
    pub blocks: u64,
    /// How long completed fetches took, in one world; not summed up.
    pub took: Vec<Nanos>,
    pub classes: BTreeMap<(u64, &'static str), Class>,
}

/// Transfers with the same windowsize and client model.
#[derive(Debug, Default, Clone, Copy)]
pub struct Class {
    pub transfers: u64,
    pub blocks: u64,
    pub lost: u64,
    pub harms: u64,
    pub resends: u64,
    pub fills: u64,
    pub timeouts: u64,
}

impl Totals {
    pub fn transfer(&mut self, live: &Live, model: &'static str) {
        let class = self.classes.entry((live.windowsize, model)).or_default();
        class.add(&Class {
            transfers: 1,
            blocks: live.blocks,
            lost: live.lost.into(),
            harms: live.harms.into(),
            resends: live.resends.into(),
            fills: live.fills.into(),
            timeouts: live.timeouts.into(),
        });
    }

    pub fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.admitted += other.admitted;
        self.reports += other.reports;
        self.turned_away += other.turned_away;
        self.fetches += other.fetches;
        self.completed += other.completed;
        self.failed += other.failed;
        self.tainted += other.tainted;
        self.datagrams += other.datagrams;
        self.blocks += other.blocks;
        for (key, class) in &other.classes {
            self.classes.entry(*key).or_default().add(class);
        }
    }
}

impl Class {
    pub fn add(&mut self, other: &Self) {
        self.transfers += other.transfers;
        self.blocks += other.blocks;
        self.lost += other.lost;
        self.harms += other.harms;
        self.resends += other.resends;
        self.fills += other.fills;
        self.timeouts += other.timeouts;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} worlds, {} transfers, {} turned away; {} fetches: {} completed, {} timed out, {} tainted",
            self.worlds,
            self.reports,
            self.turned_away,
            self.fetches,
            self.completed,
            self.failed,
            self.tainted
        )?;
        writeln!(
            f,
            "{} datagrams to the server, {} blocks from it",
            self.datagrams, self.blocks
        )?;
        writeln!(
            f,
            "{:>6} {:12} {:>9} {:>10} {:>8} {:>8} {:>8} {:>7} {:>8}",
            "window",
            "client",
            "transfers",
            "blocks",
            "lost",
            "harms",
            "resends",
            "fills",
            "timeouts"
        )?;
        for ((window, model), class) in &self.classes {
            writeln!(
                f,
                "{window:>6} {model:12} {:>9} {:>10} {:>8} {:>8} {:>8} {:>7} {:>8}",
                class.transfers,
                class.blocks,
                class.lost,
                class.harms,
                class.resends,
                class.fills,
                class.timeouts
            )?;
        }
        Ok(())
    }
}
