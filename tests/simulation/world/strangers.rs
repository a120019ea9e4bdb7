//! Hosts that send what they should not: random and forged packets from ports that are nobody's.
//! They never use a client's own port: that would be the client.

use ringboot::transfer::Nanos;

use super::{Event, Parcel, World};
use crate::lane::{Lane, STRANGERS_PORT};
use crate::network::damage;
use crate::rng::Rng;

/// Each stranger sits at the address of a client and sends some dozens of packets.
pub fn schedule(world: &mut World, count: u32) {
    let clients = world.clients.len() as u64;
    let sockets = world.shard.data_sockets();
    for stranger in 0..count {
        let mut rng = world.shard.rng().fork();
        let client = rng.below(clients) as u32;
        for _ in 0..rng.between(20, 200) {
            let lane = Lane {
                client,
                port: STRANGERS_PORT + stranger as u16 * 8 + rng.below(3) as u16,
                socket: rng.below(u64::from(sockets) + 1) as u16,
            };
            let parcel = Parcel {
                lane,
                fetch: 0,
                damaged: true,
                bytes: packet(&mut rng),
            };
            let at = world.now + rng.span(Nanos::from_secs(2));
            world.shard.queue.push(at, Event::ToServer(parcel));
        }
    }
}

fn packet(rng: &mut Rng) -> Vec<u8> {
    let number = rng.below(40) as u8;
    let mut bytes = match rng.below(7) {
        0 | 1 => vec![0, 4, 0, number],
        2 => vec![0, 5, 0, number % 9],
        3 => vec![0, 3, 0, number, 1, 2, 3],
        4 => b"\0\x02boot/file-0\0octet\0".to_vec(),
        5 => b"\0\x06blksize\x001024\0".to_vec(),
        _ => {
            let len = rng.below(60) as usize;
            rng.bytes(len)
        }
    };
    if rng.chance(200_000) {
        damage(&mut bytes, rng);
    }
    bytes
}
