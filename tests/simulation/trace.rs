//! What happened, as a fingerprint that two equal runs share and, on demand, as lines to read.
//! It never influences the world.

use std::collections::VecDeque;

use ringboot::transfer::Nanos;

use crate::rng::mix;

#[derive(Debug, Default)]
pub struct Trace {
    pub fingerprint: u64,
    lines: Option<VecDeque<(u32, String)>>,
}

/// Lines kept while a failed world is run again.
const KEPT: usize = 100_000;

impl Trace {
    pub fn new(readable: bool) -> Self {
        Self {
            fingerprint: 0,
            lines: readable.then(VecDeque::new),
        }
    }

    /// Notes an event of `client`; `numbers` tell it apart, `what` is asked for only when read.
    pub fn note(&mut self, now: Nanos, client: u32, numbers: u64, what: impl FnOnce() -> String) {
        let event = mix(now.0 ^ mix(u64::from(client) ^ mix(numbers)));
        self.fingerprint = mix(self.fingerprint ^ event);
        if let Some(lines) = &mut self.lines {
            if lines.len() == KEPT {
                lines.pop_front();
            }
            let millis = now.0 as f64 / 1e6;
            lines.push_back((client, format!("{millis:14.3} ms  {}", what())));
        }
    }

    /// The last events of one client.
    pub fn tail(&self, client: u32, count: usize) -> Vec<String> {
        let lines = self.lines.iter().flatten();
        let of_client = lines.filter(|(whose, _)| *whose == client);
        let mut tail: Vec<_> = of_client
            .rev()
            .take(count)
            .map(|(_, line)| line.clone())
            .collect();
        tail.reverse();
        tail
    }
}

/// A datagram in a few words.
pub fn describe(bytes: &[u8]) -> String {
    let number = |at: usize| {
        let pair = bytes.get(at..at + 2);
        pair.map_or(-1, |pair| i32::from(u16::from_be_bytes([pair[0], pair[1]])))
    };
    match number(0) {
        1 => format!("RRQ {}", bytes[2..].escape_ascii()),
        2 => "WRQ".to_owned(),
        3 => format!(
            "DATA {} ({} bytes)",
            number(2),
            bytes.len().saturating_sub(4)
        ),
        4 => format!("ACK {}", number(2)),
        5 => format!(
            "ERROR {} {}",
            number(2),
            bytes[bytes.len().min(4)..].escape_ascii()
        ),
        6 => format!("OACK {}", bytes[2..].escape_ascii()),
        other => format!("opcode {other}"),
    }
}
