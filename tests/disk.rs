//! Files on a slow disk: the transfer that needs them waits, and nobody else does.
//! It never measures time, only who gets on meanwhile.

#[macro_use]
mod support;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ringboot::limits::{COPY_MAX, KEPT_IMAGES};
use support::netns::privileged;
use support::server::Builder;
use support::slowfs::{Cache, Hang, SlowFs};
use support::{Conversation, Fetch, Root, Server, pattern};

/// Of each read, which is at most 128 KiB.
const DELAY: Duration = Duration::from_millis(1000);

/// Transfers of the file in memory while six others wait for the disk, several seconds each.
const HOT_MIN: u32 = 16;

/// What begins with far goes to the disk.
const UPLOADS_TO_A_DISK: &str = "
version = 1
root = 'other'
[upload]
dir = 'up'
[[rule]]
operation = 'write'
match = '^far'
rewrite = 'disk/far'
";

/// Each kind of name that is not understood before a disk has answered; and one that is.
const DECIDED_BY_A_DISK: &str = "
version = 1
root = '.'
map-file = 'map'
[roots.own]
path = 'disk'
unique-root = 'ip'
[roots.cased]
path = 'disk'
ignore-case = true
[[rule]]
match = '^own/'
rewrite = ''
root = 'own'
stop = true
[[rule]]
match = '^cased/'
rewrite = ''
root = 'cased'
stop = true
[[rule]]
match = '^tried/(.*)'
try = ['disk/none', 'disk/{{1}}']
[[rule]]
match = '^first$'
try = ['none', 'hot']
";

/// So many looks in a row that find a shard waiting for a storage are no accident: a page of its own
/// program may have to be read, too, but not for a tenth of a second. A read of the slow disk takes ten times that.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

const SLOW_LEN: usize = 700_001;
const OPTIONS: [(&str, &str); 1] = [("blksize", "1024")];

const SCHED_OTHER: u32 = 0;
const SCHED_BATCH: u32 = 3;

/// By which rules a thread of the server's gets a core (proc(5), field 41).
fn policy(server: &Server, thread: &str) -> u32 {
    let path = format!("/proc/{}/task/{}/stat", server.pid(), server.thread(thread));
    let stat = std::fs::read_to_string(path).expect("a running thread");
    let behind_name = stat.rsplit(')').next().expect("fields");
    let field = behind_name.split_whitespace().nth(41 - 3);
    field
        .and_then(|field| field.parse().ok())
        .expect("a number")
}

/// Starts a server that has the file in memory at hand: its first answer of all takes longer.
fn warm(server: Builder) -> Server {
    let server = server.start();
    Fetch::new(&server, "hot", &OPTIONS).complete();
    server
}

/// Fetches a file in memory while somebody else works. Says how often, and how many looks in a row found
/// the shard waiting for a storage: unlike the time that the client waits, these do not grow when the machine stalls.
fn fetch_meanwhile(server: &Server, content: &[u8], works: impl Fn() -> bool) -> (u32, usize) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looks = scope.spawn(|| looks_at_waiting(server, &over));
        let mut count = 0;
        while works() {
            let fetched = Fetch::new(server, "hot", &OPTIONS).complete();
            assert!(fetched.data == content);
            count += 1;
        }
        over.store(true, Relaxed);
        (count, looks.join().expect("no panic"))
    })
}

/// The most looks in a row that found the shard waiting for an answer of FUSE, or for a page.
fn looks_at_waiting(server: &Server, over: &AtomicBool) -> usize {
    let shard = server.thread("ringboot-0");
    let path = format!("/proc/{}/task/{shard}/wchan", server.pid());
    let (mut row, mut longest) = (0, 0);
    while !over.load(Relaxed) {
        let place = std::fs::read_to_string(&path).expect("a running thread");
        let waits = ["folio_wait", "request_wait_answer", "fuse"];
        row = if waits.iter().any(|wait| place.contains(wait)) {
            row + 1
        } else {
            0
        };
        longest = longest.max(row);
        thread::sleep(BETWEEN_LOOKS);
    }
    longest
}

backends! {
    fn a_slow_disk_holds_up_only_those_who_need_it(setup) {
        if !privileged() {
            return;
        }
        let root = Root::with("hot", &pattern(100_000, 1));
        let files: Vec<_> = (0..6).map(|seed| pattern(SLOW_LEN, seed)).collect();
        let disk = SlowFs::mount(&root.path().join("disk"), files.clone(), DELAY);
        let server = warm(Server::on(root.path(), setup).shards(1));

        thread::scope(|scope| {
            let slow: Vec<_> = (0..6)
                .map(|number| {
                    let fetch = Fetch::new(&server, &format!("disk/{number}"), &OPTIONS);
                    scope.spawn(|| fetch.complete())
                })
                .collect();
            let works = || slow.iter().any(|slow| !slow.is_finished());
            let (hot, waiting) = fetch_meanwhile(&server, &pattern(100_000, 1), works);
            for (slow, file) in slow.into_iter().zip(&files) {
                let fetched = slow.join().expect("no panic");
                assert!(fetched.data == *file);
                assert!(fetched.took > DELAY, "the disk was not slow");
            }
            // A shard that waited for the disk itself managed 8 here on an idle machine; one that
            // does not, 800 and more, and 27 on a machine with ten times the work that it can do.
            assert!(hot > HOT_MIN, "only {hot} transfers of a file in memory meanwhile");
            assert!(waiting < LOOKS, "{waiting} looks in a row found the shard waiting for a storage");
        });
        drop(server);
        drop(disk);
    }

    /// FUSE throws a file's pages away when it is opened anew, so a mapping that was in memory a moment
    /// ago is not. Whoever is being sent it then must not be waited for by the shard.
    fn a_second_client_of_a_slow_file_holds_up_nobody_else(setup) {
        if !privileged() {
            return;
        }
        let (hot, slow) = (pattern(100_000, 1), pattern(SLOW_LEN, 2));
        let root = Root::with("hot", &hot);
        let dir = root.path().join("disk");
        let disk = SlowFs::caching(Cache::Dropped, &dir, vec![slow.clone()], DELAY);
        let server = warm(Server::on(root.path(), setup).shards(1));

        thread::scope(|scope| {
            let (half, there) = mpsc::channel();
            let fetch = || Fetch::new(&server, "disk/0", &OPTIONS);
            let first = fetch().at(SLOW_LEN / 1024 / 2, move || half.send(()).expect("heard"));
            let first = scope.spawn(|| first.complete());
            let second = scope.spawn(move || {
                there.recv().expect("the first gets half way");
                let text = fetch().netascii("disk/0", &OPTIONS);
                let text = scope.spawn(|| text.complete());
                (fetch().complete(), text.join().expect("no panic"))
            });
            let works = || !first.is_finished() || !second.is_finished();
            let (_, waiting) = fetch_meanwhile(&server, &hot, works);
            assert!(first.join().expect("no panic").data == slow);
            let (octet, text) = second.join().expect("no panic");
            assert!(octet.data == slow && text.bytes > octet.bytes);
            assert!(waiting < LOOKS, "{waiting} looks in a row found the shard waiting for a storage");
        });
        assert_eq!(disk.opened(), 1);
        drop(server);
        drop(disk);
    }

    /// Whoever comes while a file is being opened waits for that.
    fn a_file_is_opened_once_for_all_who_come_meanwhile(setup) {
        if !privileged() {
            return;
        }
        let file = pattern(400, 2);
        let root = Root::new();
        let disk = SlowFs::forgetful(&root.path().join("disk"), vec![file.clone()]);
        let server = Server::on(root.path(), setup).start();
        let _release = disk.release();
        disk.hang(Hang::Opening);
        let mut clients: Vec<_> = (0..6).map(|_| Conversation::with(&server)).collect();
        for client in &mut clients {
            client.rrq("disk/0", "octet", &[]);
            assert!(client.listen_for(Duration::from_millis(50)).is_empty());
        }
        disk.hang(Hang::Nothing);
        for client in &mut clients {
            client.expect_data(1, &file);
            client.ack(1);
        }
        assert_eq!(disk.opened(), 1);
        drop(server);
        drop(disk);
    }

    fn a_slow_file_fetched_again_holds_up_nobody_else(setup) {
        if !privileged() {
            return;
        }
        let (hot, slow) = (pattern(100_000, 1), pattern(SLOW_LEN, 2));
        let root = Root::with("hot", &hot);
        let mount = |name, cache| {
            SlowFs::caching(cache, &root.path().join(name), vec![slow.clone()], DELAY)
        };
        let disks = [mount("dropped", Cache::Dropped), mount("unshared", Cache::Unshared)];
        // Frames are memory of the server's own, which nobody throws away.
        let server = warm(Server::on(root.path(), setup).shards(1).args(&["--frame-memory", "0"]));
        thread::scope(|scope| {
            let clients = ["dropped/0", "unshared/0"].map(|name| {
                let fetch = || Fetch::new(&server, name, &OPTIONS).complete().data == slow;
                scope.spawn(move || assert!((0..3).all(|_| fetch())))
            });
            let works = || clients.iter().any(|client| !client.is_finished());
            let (_, waiting) = fetch_meanwhile(&server, &hot, works);
            assert!(waiting < LOOKS, "{waiting} looks in a row found the shard waiting for a storage");
        });
        drop(server);
        drop(disks);
    }

    /// Where they share a core, a request would cost three changes of thread in the middle of packets.
    fn threads_that_work_for_a_shard_do_not_interrupt_it(setup) {
        let root = Root::with("file", b"short");
        let server = Server::on(root.path(), setup).shards(1).start();
        assert_eq!(policy(&server, "ringboot-0"), SCHED_OTHER);
        for name in ["ringboot-files", "ringboot-log"] {
            assert_eq!(policy(&server, name), SCHED_BATCH, "{name}");
        }
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

    /// Rules, roots and map files that have to ask a disk what a name means: whom they do not lead there
    /// does not wait for it, though he meets the same rules.
    fn names_that_a_hanging_disk_decides_hold_up_only_those_who_ask_for_them(setup) {
        if !privileged() {
            return;
        }
        let hot = pattern(30_000, 1);
        let root = Root::with("hot", &hot);
        let file = pattern(400, 2);
        let disk = SlowFs::forgetful(&root.path().join("disk"), vec![file.clone(); 5]);
        root.write("map", b"rE ^map/(.*)$ disk/\\1\n");
        let config = root.write("ringboot.toml", DECIDED_BY_A_DISK.as_bytes());
        let server = Server::configured(&config, setup).shards(1).start();
        let _release = disk.release();
        disk.hang(Hang::Names);

        let kinds = ["own", "cased", "tried", "map"];
        let names = kinds.iter().flat_map(|kind| (0..5).map(move |file| format!("{kind}/{file}")));
        let mut waiting: Vec<_> = names
            .map(|name| {
                let mut client = Conversation::with(&server);
                client.rrq(&name, "octet", &[]);
                (name, client)
            })
            .collect();
        for number in 0..30 {
            let fetched = Fetch::new(&server, "first", &OPTIONS).complete();
            assert!(fetched.data == hot);
            let mut other = Conversation::with(&server);
            other.rrq(&format!("missing-{number}"), "octet", &[]);
            other.expect_error(1);
        }
        for (name, client) in &mut waiting {
            assert!(client.next_within(Duration::ZERO).is_none(), "{name} did not ask the disk");
        }
        disk.hang(Hang::Nothing);
        for (_, client) in &mut waiting {
            client.expect_data(1, &file);
            client.ack(1);
        }
        drop(server);
        drop(disk);
    }

    /// An upload that a rule leads to a file server that does not answer waits there, and no other does.
    fn uploads_to_a_directory_that_hangs_hold_up_no_others(setup) {
        // Where io_uring is refused, a few threads that block are all that there is.
        if !privileged() || setup.io == support::Io::Epoll {
            return;
        }
        let root = Root::new();
        for name in ["up", "other"] {
            std::fs::create_dir(root.path().join(name)).expect("a directory");
        }
        let disk = SlowFs::forgetful(&root.path().join("up/disk"), Vec::new());
        let config = root.write("ringboot.toml", UPLOADS_TO_A_DISK.as_bytes());
        let server = Server::configured(&config, setup).shards(1).start();
        let _release = disk.release();
        disk.hang(Hang::Names);
        let ask = |name: &str| {
            let mut client = Conversation::with(&server);
            client.request(&support::packet::request(2, name.as_bytes(), "octet", &[]));
            client
        };
        let mut waiting: Vec<_> = (0..12).map(|number| ask(&format!("far-{number}"))).collect();
        for number in 0..12 {
            let mut other = ask(&format!("near-{number}"));
            assert_eq!(other.expect(), support::Packet::Ack(0));
            other.send(b"\0\x03\0\x01near");
            assert_eq!(other.expect(), support::Packet::Ack(1));
        }
        for client in &mut waiting {
            assert!(client.next_within(Duration::ZERO).is_none(), "it did not ask the disk");
        }
        disk.hang(Hang::Nothing);
        for client in &mut waiting {
            // The test's disk makes no files.
            client.expect_error(0);
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

    /// More files are in use than are kept, so that the end of a transfer closes its file.
    fn a_file_whose_closing_hangs_holds_up_nobody(setup) {
        if !privileged() {
            return;
        }
        let hot = pattern(30_000, 1);
        let root = Root::with("hot", &hot);
        let files: Vec<_> = (0..KEPT_IMAGES + 10).map(|_| pattern(400, 2)).collect();
        let disk = SlowFs::forgetful(&root.path().join("disk"), files.clone());
        let server = Server::on(root.path(), setup).shards(1).start();
        let _release = disk.release();

        let mut clients: Vec<_> = (0..files.len()).map(|_| Conversation::with(&server)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.rrq(&format!("disk/{number}"), "octet", &[]);
            client.expect_data(1, &files[number]);
        }
        // The catalog lets go of what it does not keep when it is asked for something.
        Fetch::new(&server, "hot", &OPTIONS).complete();
        disk.hang(Hang::Closing);
        for client in &mut clients {
            client.ack(1);
        }
        for _ in 0..30 {
            let fetched = Fetch::new(&server, "hot", &OPTIONS).complete();
            assert!(fetched.data == hot);
        }
        assert!(disk.closed() > 0, "all were kept");
        disk.hang(Hang::Nothing);
        drop(server);
        drop(disk);
    }

    /// Of a file that is not cached for others, a mapping cannot be shared; a copy would be too large.
    fn a_file_without_a_cache_is_served_whatever_its_size(setup) {
        if !privileged() {
            return;
        }
        let root = Root::new();
        let file = pattern(COPY_MAX as usize + 1, 3);
        let dir = root.path().join("disk");
        let disk = SlowFs::caching(Cache::Unshared, &dir, vec![file.clone()], Duration::ZERO);
        let server = Server::on(root.path(), setup).start();
        for _ in 0..2 {
            let options = [("blksize", "8192"), ("windowsize", "16")];
            assert!(Fetch::new(&server, "disk/0", &options).complete().data == file);
        }
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
