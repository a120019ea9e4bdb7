//! Files on a slow disk: the transfer that needs them waits, and nobody else does.
//! It never measures time, only who gets on meanwhile.

#[macro_use]
mod support;

use std::thread;
use std::time::Duration;

use support::netns::privileged;
use support::slowfs::{Hang, SlowFs};
use support::{Conversation, Fetch, Root, Server, pattern};

/// Of each read, which is at most 128 KiB.
const DELAY: Duration = Duration::from_millis(1000);

/// Transfers of the file in memory while six others wait for the disk, several seconds each.
const HOT_MIN: u32 = 16;

const SLOW_LEN: usize = 700_001;
const OPTIONS: [(&str, &str); 1] = [("blksize", "1024")];

backends! {
    fn a_slow_disk_holds_up_only_those_who_need_it(setup) {
        if !privileged() {
            return;
        }
        let root = Root::with("hot", &pattern(100_000, 1));
        let files: Vec<_> = (0..6).map(|seed| pattern(SLOW_LEN, seed)).collect();
        let disk = SlowFs::mount(&root.path().join("disk"), files.clone(), DELAY);
        let server = Server::on(root.path(), setup).shards(1).start();

        thread::scope(|scope| {
            let slow: Vec<_> = (0..6)
                .map(|number| {
                    let fetch = Fetch::new(&server, &format!("disk/{number}"), &OPTIONS);
                    scope.spawn(|| fetch.complete())
                })
                .collect();
            let mut hot = 0;
            while slow.iter().any(|slow| !slow.is_finished()) {
                let fetched = Fetch::new(&server, "hot", &OPTIONS).complete();
                assert!(fetched.data == pattern(100_000, 1));
                hot += 1;
            }
            for (slow, file) in slow.into_iter().zip(&files) {
                let fetched = slow.join().expect("no panic");
                assert!(fetched.data == *file);
                assert!(fetched.took > DELAY, "the disk was not slow");
            }
            // A shard that waited for the disk itself managed 8 here on an idle machine; one that
            // does not, 800 and more, and 27 on a machine with ten times the work that it can do.
            assert!(hot > HOT_MIN, "only {hot} transfers of a file in memory meanwhile");
        });
        drop(server);
        drop(disk);
    }

    /// A file server that does not answer: who asks for a file there waits, nobody else does,
    /// whether the kernel remembers what they ask for or has to look it up.
    fn a_directory_that_hangs_holds_up_only_those_who_ask_there(setup) {
        if !privileged() {
            return;
        }
        let hot = pattern(30_000, 1);
        let root = Root::with("hot", &hot);
        let files: Vec<_> = (0..20).map(|seed| pattern(400, seed)).collect();
        let disk = SlowFs::forgetful(&root.path().join("disk"), files.clone());
        disk.hang(Hang::Names);
        let server = Server::on(root.path(), setup).shards(1).start();

        let mut waiting: Vec<_> = (0..20).map(|_| Conversation::with(&server)).collect();
        for (number, client) in waiting.iter_mut().enumerate() {
            client.rrq(&format!("disk/{number}"), "octet", &[]);
        }
        for number in 0..30 {
            let fetched = Fetch::new(&server, "hot", &OPTIONS).complete();
            assert!(fetched.data == hot);
            // Nobody has asked for this name before, so the kernel has to ask the disk for it.
            let mut other = Conversation::with(&server);
            other.rrq(&format!("missing-{number}"), "octet", &[]);
            other.expect_error(1);
        }
        disk.hang(Hang::Nothing);
        for (client, file) in waiting.iter_mut().zip(&files) {
            client.expect_data(1, file);
            client.ack(1);
        }
        drop(server);
        drop(disk);
    }

    /// Before the last block the file is asked whether it is still the same.
    fn a_file_whose_attributes_hang_holds_up_only_its_own_clients(setup) {
        if !privileged() {
            return;
        }
        let (hot, cold) = (pattern(30_000, 1), pattern(5_000, 2));
        let root = Root::with("hot", &hot);
        let disk = SlowFs::forgetful(&root.path().join("disk"), vec![cold.clone()]);
        let server = Server::on(root.path(), setup).shards(1).start();

        let mut client = Conversation::with(&server);
        client.rrq("disk/0", "octet", &[]);
        let blocks: Vec<&[u8]> = cold.chunks(512).collect();
        let (last, others) = blocks.split_last().expect("blocks");
        for (block, payload) in (1..).zip(others) {
            client.expect_data(block, payload);
            if usize::from(block) == others.len() {
                disk.hang(Hang::Attributes);
            }
            client.ack(block);
        }
        for _ in 0..30 {
            let fetched = Fetch::new(&server, "hot", &OPTIONS).complete();
            assert!(fetched.data == hot);
        }
        let early = client.listen_for(Duration::from_millis(300));
        assert!(early.is_empty(), "before the file was asked: {early:?}");
        disk.hang(Hang::Nothing);
        client.expect_data(blocks.len() as u16, last);
        client.ack(blocks.len() as u16);
        drop(server);
        drop(disk);
    }

    fn many_wait_for_the_same_part_of_a_file(setup) {
        if !privileged() {
            return;
        }
        let root = Root::new();
        let file = pattern(300_000, 7);
        let disk = SlowFs::mount(&root.path().join("disk"), vec![file.clone()], DELAY);
        let server = Server::on(root.path(), setup).start();
        thread::scope(|scope| {
            for _ in 0..40 {
                let fetch = Fetch::new(&server, "disk/0", &[("windowsize", "8"), ("tsize", "0")]);
                scope.spawn(|| assert!(fetch.complete().data == file));
            }
        });
        drop(server);
        drop(disk);
    }
}
