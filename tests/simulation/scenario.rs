//! A farm made from a seed: network, server, files, clients, and what they want.
//! It never runs it.

use std::sync::Arc;

use ringboot::endpoint::Policy;
use ringboot::transfer::Nanos;
use ringboot::wire::netascii;

use crate::client::habits::Habits;
use crate::client::{Client, Twist, Wish, models};
use crate::content::{File, Kind};
use crate::network::{Spells, Weather};
use crate::rng::Rng;
use crate::switch::Bottleneck;

#[derive(Debug)]
pub struct Scenario {
    pub weather: Weather,
    pub server: Server,
    pub files: Vec<Arc<File>>,
    pub clients: Vec<Client>,
    pub strangers: u32,
    /// Everything is aborted at this time.
    pub shutdown_at: Option<Nanos>,
    pub rng: Rng,
}

/// How this shard is set up and how it fares.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    pub policy: Policy,
    /// 0 in single-port mode.
    pub data_sockets: u16,
    pub max_blksize: u16,
    /// Opening a file takes between 1 ns and this.
    pub open_delay: Nanos,
    /// Chance that blocks are not in memory.
    pub cold: u32,
    /// Bringing them in takes between 1 ns and this.
    pub disk_delay: Nanos,
    /// Files that may wait to be opened.
    pub open_queue: usize,
    /// How late timers are looked at.
    pub lateness: Nanos,
    /// Chance that a train finds no room in the socket's buffer.
    pub congestion: u32,
    /// Chance that the kernel cannot read the file.
    pub unreadable: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            data_sockets: 2,
            max_blksize: 1468,
            open_delay: Nanos::from_micros(50),
            cold: 0,
            disk_delay: Nanos::ZERO,
            open_queue: usize::MAX,
            lateness: Nanos::ZERO,
            congestion: 0,
            unreadable: 0,
        }
    }
}

impl Scenario {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let weather = weather(&mut rng);
        let server = server(&mut rng);
        // One farm in two hundred has files whose block numbers wrap.
        let huge = rng.chance(5_000);
        let files = files(&mut rng, huge);
        let count = if huge { 2 } else { rng.between(1, 40) as u32 };
        let clients = (0..count)
            .map(|id| client(id, &mut rng, &files, huge))
            .collect();
        Self {
            weather,
            server,
            files,
            clients,
            strangers: if rng.chance(150_000) {
                rng.between(1, 4) as u32
            } else {
                0
            },
            shutdown_at: rng.chance(20_000).then(|| rng.span(Nanos::from_secs(3))),
            rng,
        }
    }
}

impl Scenario {
    /// One client that fetches one file of `size` bytes: for measurements.
    pub fn single(seed: u64, weather: Weather, habits: Habits, size: u64) -> Self {
        let mut rng = Rng::new(seed);
        let file = File::new("image".to_owned(), Kind::Octets(size), rng.next());
        let file = Arc::new(file);
        let wish = Wish {
            file: Arc::clone(&file),
            pause: Nanos::ZERO,
            twist: Twist::None,
        };
        Self {
            weather,
            server: Server::default(),
            files: vec![file],
            clients: vec![Client::new(0, habits, vec![wish], rng.fork())],
            strangers: 0,
            shutdown_at: None,
            rng,
        }
    }
}

fn weather(rng: &mut Rng) -> Weather {
    let delay = *rng.pick(&[50, 100, 300, 1_000, 2_500, 10_000, 50_000]);
    let calm = Weather {
        delay: Nanos::from_micros(delay),
        jitter: Nanos::from_micros(rng.below(delay / 2 + 1)),
        ..Weather::default()
    };
    let loss = *rng.pick(&[100, 1_000, 5_000, 10_000, 30_000]);
    match rng.below(11) {
        0 | 1 => calm,
        2 | 3 => Weather { loss, ..calm },
        4 => Weather {
            spells: Some(Spells {
                good: Nanos::from_millis(rng.between(400, 4_000)),
                bad: Nanos::from_millis(rng.between(1, 20)),
                loss: 900_000,
            }),
            ..calm
        },
        5 => Weather {
            duplicate: *rng.pick(&[1_000, 20_000, 500_000]),
            ..calm
        },
        6 => Weather {
            straggle: *rng.pick(&[1_000, 20_000, 200_000]),
            straggle_by: Nanos::from_micros(*rng.pick(&[200, 2_000, 60_000])),
            ..calm
        },
        7 => Weather {
            corrupt: *rng.pick(&[1_000, 20_000]),
            ..calm
        },
        9 => Weather {
            bottleneck: Some(Bottleneck {
                shared: rng.chance(500_000),
                ..Bottleneck::new(*rng.pick(&[10, 100, 1_000]), rng.between(16, 64) as usize)
            }),
            loss: *rng.pick(&[0, 0, 1_000]),
            ..calm
        },
        8 => Weather {
            echo_to_server: true,
            ..calm
        },
        _ => Weather {
            loss: *rng.pick(&[30_000, 100_000, 300_000]),
            duplicate: 30_000,
            corrupt: *rng.pick(&[0, 10_000]),
            straggle: 30_000,
            straggle_by: Nanos::from_millis(30),
            ..calm
        },
    }
}

fn server(rng: &mut Rng) -> Server {
    let usual = Server::default();
    Server {
        policy: Policy {
            max_windowsize: *rng.pick(&[1, 4, 16, 64, 64, 64]),
            max_transfers: if rng.chance(50_000) {
                3
            } else {
                usual.policy.max_transfers
            },
            ..usual.policy
        },
        data_sockets: rng.below(3) as u16,
        max_blksize: *rng.pick(&[1468, 1468, 1468, 512, 8192]),
        open_delay: Nanos::from_micros(*rng.pick(&[1, 50, 2_000, 200_000, 1_500_000])),
        cold: *rng.pick(&[0, 0, 0, 20_000]),
        disk_delay: Nanos::from_micros(*rng.pick(&[100, 10_000, 900_000])),
        open_queue: if rng.chance(50_000) { 2 } else { usize::MAX },
        lateness: Nanos::from_micros(*rng.pick(&[0, 0, 0, 300, 5_000])),
        congestion: *rng.pick(&[0, 0, 0, 0, 5_000]),
        unreadable: *rng.pick(&[0, 0, 0, 0, 0, 0, 0, 20]),
    }
}

fn files(rng: &mut Rng, huge: bool) -> Vec<Arc<File>> {
    let count = rng.between(2, 8);
    (0..count)
        .map(|index| {
            let kind = match rng.below(12) {
                0 => Kind::Missing,
                1 if rng.chance(300_000) => Kind::Forbidden,
                2 => text(rng),
                _ => Kind::Octets(size(rng, huge)),
            };
            let mut file = File::new(format!("boot/file-{index}"), kind, rng.next());
            if matches!(file.kind, Kind::Octets(_)) && rng.chance(20_000) {
                file.changes_at = rng.span(Nanos::from_secs(2));
            }
            Arc::new(file)
        })
        .collect()
}

/// Mostly small; borders of blocks more often than chance would have it.
fn size(rng: &mut Rng, huge: bool) -> u64 {
    if huge {
        return 8 * rng.between(65_530, 140_000) + rng.below(8);
    }
    match rng.below(10) {
        0 => rng.below(3),
        1 => *rng.pick(&[512, 1024, 1408, 1432, 1456, 1468, 1500]) * rng.between(1, 20),
        2 => *rng.pick(&[512, 1024, 1468]) * rng.between(1, 20) + rng.below(3) - 1,
        3..=7 => rng.below(30_000),
        _ => rng.below(200_000),
    }
}

fn text(rng: &mut Rng) -> Kind {
    let len = rng.below(6_000) as usize;
    let local: Vec<u8> = (0..len).map(|_| *rng.pick(b"abc \n\n\r.")).collect();
    let mut wire = Vec::new();
    netascii::encode(&local, &mut wire);
    Kind::Text { local, wire }
}

fn client(id: u32, rng: &mut Rng, files: &[Arc<File>], huge: bool) -> Client {
    let habits = if huge {
        huge_habits(rng)
    } else {
        rng.pick(&models::ALL)()
    };
    let crowd = rng.chance(500_000);
    let count = if huge { 1 } else { rng.between(1, 6) };
    let wishes = (0..count)
        .map(|_| wish(rng, files, crowd))
        .collect::<Vec<_>>();
    // Texts are asked for by those who speak netascii, and by them alone.
    let texts = wishes
        .iter()
        .any(|wish| matches!(wish.file.kind, Kind::Text { .. }));
    let habits = if texts { models::TEXT() } else { habits };
    Client::new(id, habits, wishes, rng.fork())
}

fn huge_habits(rng: &mut Rng) -> Habits {
    if rng.chance(500_000) {
        models::rollover()
    } else {
        models::wrap_to_0()
    }
}

fn wish(rng: &mut Rng, files: &[Arc<File>], crowd: bool) -> Wish {
    let pause = if crowd {
        Nanos::from_micros(100)
    } else {
        Nanos::from_millis(400)
    };
    let after = rng.below(30);
    Wish {
        file: Arc::clone(rng.pick(files)),
        pause: rng.span(pause),
        twist: match rng.below(60) {
            0 => Twist::Vanish { after },
            1 => Twist::Abort {
                after: after.max(1),
            },
            2 => Twist::Swap { after },
            3 => Twist::Swap { after: 0 },
            _ => Twist::None,
        },
    }
}
