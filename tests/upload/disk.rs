//! Disks that fill up, directories that go, rights that are lost: ERROR 3 or 2, nothing left, and the
//! other uploads go on.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use crate::protocol::holds;
use crate::sender::{Refused, Upload, builder, data, server, wrq};
use crate::support::netns::privileged;
use crate::support::{Conversation, Packet, Root, Server, jail, pattern, programs};

/// A file system of its own, of a megabyte.
struct SmallDisk(Root);

impl SmallDisk {
    fn new() -> Self {
        let disk = Self(Root::new());
        let path = disk.0.path().to_str().unwrap();
        let mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", path];
        programs::succeed(Path::new("/"), &mount);
        disk
    }

    fn free(&self) -> u64 {
        rustix::fs::statvfs(self.0.path()).unwrap().f_bavail
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.0.path().to_str().unwrap();
        programs::run(Path::new("/"), &["umount", "-l", path]);
    }
}

/// An upload whose first block is stored and whose second is to come.
fn begin(server: &Server, name: &str) -> Conversation {
    let mut client = Conversation::with(server);
    client.request(&wrq(name, "octet", &[]));
    assert_eq!(client.expect(), Packet::Ack(0));
    client.send(&data(1, &[b'x'; 512]));
    assert_eq!(client.expect(), Packet::Ack(1));
    client
}

fn end(mut client: Conversation) {
    client.send(&data(2, b"end"));
    assert_eq!(client.expect(), Packet::Ack(2));
}

backends! {
    /// The disk is full in the middle of a file, or beforehand where tsize says the size.
    fn a_full_disk_is_error_3(setup) {
        if !privileged() {
            return;
        }
        let disk = SmallDisk::new();
        let server = server(&disk.0, setup, &[]);
        let free = disk.free();
        let other = begin(&server, "other");
        let large = pattern(3 << 20, 1);
        for windowsize in [1, 16] {
            let sent = Upload::new("large", &large).with(1428, windowsize).send(server.addr());
            assert!(matches!(sent, Err(Refused(3, _))), "{sent:?}");
        }
        let sent = Upload::new("large", &large).sized().send(server.addr());
        assert_eq!(sent, Err(Refused(3, "Disk full".into())));
        end(other);
        holds(&disk.0, &["other"]);
        fs::remove_file(disk.0.path().join("other")).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while disk.free() < free {
            assert!(std::time::Instant::now() < deadline, "nothing of it takes room");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The directory goes while a file for it is on its way.
    fn a_directory_is_removed(setup) {
        let dir = Root::new();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let server = server(&dir, setup, &[]);
        let mut lost = begin(&server, "sub/lost");
        let other = begin(&server, "other");
        fs::remove_dir_all(dir.path().join("sub")).unwrap();
        lost.send(&data(2, b"end"));
        lost.expect_error(2);
        end(other);
        holds(&dir, &["other"]);
    }

    /// Somebody else puts a directory, or a file, where the upload was to go.
    fn a_name_is_taken_meanwhile(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let (mut file, mut directory) = (begin(&server, "file"), begin(&server, "directory"));
        dir.write("file", b"theirs");
        fs::create_dir(dir.path().join("directory")).unwrap();
        for client in [&mut file, &mut directory] {
            client.send(&data(2, b"end"));
            client.expect_error(6);
        }
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"theirs");
        holds(&dir, &["directory", "file"]);
    }

    /// The right to write is taken away, for a server that is not root.
    fn the_right_to_write_is_lost(setup) {
        if !privileged() {
            return;
        }
        let dir = Root::new();
        for name in ["closed", "open"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            chown(dir.path().join(name), Some(jail::NOBODY), None).unwrap();
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let server = builder(dir.path(), setup, &[]).jail(jail::is_nobody).start();
        let mut lost = begin(&server, "closed/lost");
        let other = begin(&server, "open/other");
        fs::set_permissions(dir.path().join("closed"), Permissions::from_mode(0o500)).unwrap();
        lost.send(&data(2, b"end"));
        lost.expect_error(2);
        end(other);
        let refused = Upload::new("closed/new", b"x").send(server.addr());
        assert!(matches!(refused, Err(Refused(2, _))), "{refused:?}");
        assert_eq!(fs::read_dir(dir.path().join("closed")).unwrap().count(), 0);
    }
}

/// Without io_uring the same by plain system calls, and a line says why.
#[test]
fn without_io_uring_uploads_are_written_all_the_same() {
    let dir = Root::new();
    let server = builder(dir.path(), crate::support::Setup::URING, &[]).auto();
    let server = server.jail(jail::no_io_uring).start();
    let content = pattern(300_000, 3);
    let sent = Upload::new("f", &content).with(1428, 8).send(server.addr());
    assert_eq!(sent, Ok(()));
    assert!(fs::read(dir.path().join("f")).unwrap() == content);
    assert!(
        server
            .stderr()
            .contains("uploads are written by plain system calls")
    );
}
