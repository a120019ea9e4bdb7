//! What the terminal shows: the machines as last told, their order, what the operator chose.
//! It never draws.

use std::collections::HashMap;
use std::mem;

use ratatui::crossterm::event::KeyCode;

use crate::observe::farm::view::{Curve, Detail, Failure, Look, Row, State, Summary};

/// The columns by which machines are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// Trouble first.
    #[default]
    State,
    Name,
    Rate,
    Resends,
    Progress,
}

impl Sort {
    const ALL: [Self; 5] = [
        Self::State,
        Self::Name,
        Self::Rate,
        Self::Resends,
        Self::Progress,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Resends => "resends",
            Self::Progress => "progress",
        }
    }

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|other| *other == self);
        let next = place.map_or(0, |place| place + 1) % Self::ALL.len();
        Self::ALL.get(next).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub struct Board {
    machines: HashMap<u32, Row>,
    pub farm: Summary,
    pub failures: Vec<Failure>,
    pub curve: Curve,
    /// The server's time of the last look, in milliseconds.
    pub now: u64,
    pub sort: Sort,
    pub filter: String,
    /// The operator is typing a filter.
    pub typing: bool,
    pub selected: usize,
    pub open: Option<u32>,
    pub detail: Option<Detail>,
    detail_of: u64,
    /// Why there is no connection.
    pub trouble: Option<String>,
    order: Vec<u32>,
}

impl Board {
    pub fn learn(&mut self, look: Look) {
        self.trouble = None;
        self.now = look.now;
        if look.full {
            self.machines.clear();
        }
        for row in look.rows {
            self.machines.insert(row.id, row);
        }
        for id in look.gone {
            self.machines.remove(&id);
        }
        self.farm = look.farm;
        if let Some(failures) = look.failures {
            self.failures = failures;
        }
        if let Some(curve) = look.curve {
            self.curve = curve;
        }
        self.arrange();
    }

    pub fn lost(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// The machines that fit the filter, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Option<&Row>> {
        self.order.iter().map(|id| self.machines.get(id))
    }

    /// Does what a key asks for; false ends the program.
    pub fn press(&mut self, key: KeyCode) -> bool {
        if self.typing {
            match key {
                KeyCode::Enter | KeyCode::Esc => self.typing = false,
                KeyCode::Backspace => _ = self.filter.pop(),
                KeyCode::Char(letter) => self.filter.push(letter),
                _ => {}
            }
            self.arrange();
            return true;
        }
        match key {
            KeyCode::Char('q') => return false,
            KeyCode::Esc if self.open.is_none() && self.filter.is_empty() => return false,
            KeyCode::Esc if self.open.is_some() => self.close(),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected += 20,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(20),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = usize::MAX,
            KeyCode::Enter if self.open.is_some() => self.close(),
            KeyCode::Enter => {
                self.close();
                self.open = self.order.get(self.selected).copied();
            }
            _ => {}
        }
        self.arrange();
        true
    }

    /// Asks for the files of the machine that is open, once for each look.
    pub fn refresh(&mut self, ask: impl FnOnce(u32) -> Option<Detail>) {
        if let Some(id) = self.open
            && mem::replace(&mut self.detail_of, self.now) != self.now
        {
            self.detail = ask(id);
        }
    }

    fn close(&mut self) {
        self.open = None;
        self.detail = None;
        self.detail_of = 0;
    }

    fn arrange(&mut self) {
        let wanted = self.filter.to_lowercase();
        let fits = |row: &&Row| {
            let texts = [&row.ip, &row.mac, &row.host, &row.file];
            wanted.is_empty()
                || row.state.as_str() == wanted
                || texts
                    .iter()
                    .any(|text| text.to_lowercase().contains(&wanted))
        };
        let mut rows: Vec<&Row> = self.machines.values().filter(fits).collect();
        let down = |number: u64| u64::MAX - number;
        let share = |row: &Row| row.bytes.saturating_mul(1_000) / row.size.max(1);
        rows.sort_by_cached_key(|row| {
            let first = match self.sort {
                // Who is in trouble the longest comes first.
                Sort::State if row.state <= State::Silent => (row.state as u64, row.since),
                Sort::State => (row.state as u64, 0),
                Sort::Name => (0, 0),
                Sort::Rate => (down(row.rate), 0),
                Sort::Resends => (down(row.resends.into()), 0),
                Sort::Progress => (down(share(row)), 0),
            };
            let ip = row.ip.parse::<core::net::IpAddr>().ok();
            (first, row.host.clone(), ip, row.id)
        });
        self.order = rows.into_iter().map(|row| row.id).collect();
        self.selected = self.selected.min(self.order.len().saturating_sub(1));
    }
}
