//! Files on a slow disk: the transfer that needs them waits, and nobody else does.
//! It never measures time, only who gets on meanwhile.

#[macro_use]
mod support;

use std::thread;
use std::time::Duration;

use support::netns::privileged;
use support::slowfs::SlowFs;
use support::{Fetch, Root, Server, pattern};

/// Of each read, which is at most 128 KiB.
const DELAY: Duration = Duration::from_millis(1000);

/// Transfers of the file in memory while six others wait for the disk, several seconds each.
const HOT_MIN: u32 = 60;

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
            // A shard that waited for the disk itself managed 8 here; one that does not, 800 and
            // more on a machine with ten times the work that it can do.
            assert!(hot > HOT_MIN, "only {hot} transfers of a file in memory meanwhile");
        });
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
