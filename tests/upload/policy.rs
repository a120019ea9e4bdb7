//! What the operator allows: names, replacing, quotas, and where a name may lead.

use std::fs;
use std::os::unix::fs::symlink;

use crate::protocol::holds;
use crate::sender::{Refused, Upload, server};
use crate::support::{Root, Server, pattern};

fn put(server: &Server, name: &str, content: &[u8]) -> Result<(), u16> {
    let sent = Upload::new(name, content).sized().send(server.addr());
    sent.map_err(|Refused(code, _)| code)
}

/// Without its size beforehand.
fn stream(server: &Server, name: &str, content: &[u8]) -> Result<(), u16> {
    let sent = Upload::new(name, content).send(server.addr());
    sent.map_err(|Refused(code, _)| code)
}

backends! {
    /// create: what exists stays, and is ERROR 6.
    fn new_files_only(setup) {
        let dir = Root::with("old", b"old");
        let server = server(&dir, setup, &[]);
        assert_eq!(put(&server, "old", b"new"), Err(6));
        assert_eq!(put(&server, "new", b"new"), Ok(()));
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"old");
        holds(&dir, &["new", "old"]);
    }

    /// overwrite: it is replaced, with its mode.
    fn old_files_are_replaced(setup) {
        use std::os::unix::fs::PermissionsExt;
        let dir = Root::with("old", b"old");
        let path = dir.path().join("old");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let server = server(&dir, setup, &["--upload-policy", "overwrite"]);
        assert_eq!(put(&server, "old", b"new"), Ok(()));
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(put(&server, "other", b"new"), Ok(()));
        holds(&dir, &["old", "other"]);
    }

    /// existing: no new name.
    fn existing_files_only(setup) {
        let dir = Root::with("old", b"old");
        let server = server(&dir, setup, &["--upload-policy", "existing"]);
        assert_eq!(put(&server, "new", b"new"), Err(1));
        assert_eq!(put(&server, "old", b"new"), Ok(()));
        assert_eq!(fs::read(dir.path().join("old")).unwrap(), b"new");
        holds(&dir, &["old"]);
    }

    fn names_match_a_pattern(setup) {
        let dir = Root::new();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let server = server(&dir, setup, &["--upload-allow", "*.cfg", "--upload-allow", "sub/*"]);
        assert_eq!(put(&server, "a.cfg", b"x"), Ok(()));
        assert_eq!(put(&server, r"\sub\b", b"x"), Ok(()));
        assert_eq!(put(&server, "a.txt", b"x"), Err(2));
        holds(&dir, &["a.cfg", "sub"]);
    }

    /// A quota is known before the first byte where tsize says the size, and kept where it does not.
    fn quotas_hold(setup) {
        let dir = Root::with("there", &pattern(3_000, 1));
        let server = server(&dir, setup, &[
            "--upload-max-file", "4K", "--upload-max-client", "6K", "--upload-max-total", "12000",
        ]);
        assert_eq!(put(&server, "a", &pattern(4_097, 1)), Err(3));
        assert_eq!(stream(&server, "a", &pattern(100_000, 1)), Err(3));
        let reason = "more than --upload-max-file allows";
        server.wait_for(|transfer| transfer.0["reason"] == reason);
        assert_eq!(put(&server, "a", &pattern(4_096, 1)), Ok(()));
        assert_eq!(put(&server, "b", &pattern(2_049, 1)), Err(3));
        assert_eq!(stream(&server, "b", &pattern(2_049, 1)), Err(3));
        assert_eq!(put(&server, "b", &pattern(2_048, 1)), Ok(()));
        holds(&dir, &["a", "b", "there"]);
    }

    fn the_directory_has_a_quota(setup) {
        let dir = Root::with("there", &pattern(3_000, 1));
        let server = server(&dir, setup, &["--upload-max-total", "5000"]);
        assert_eq!(put(&server, "a", &pattern(2_001, 1)), Err(3));
        assert_eq!(stream(&server, "a", &pattern(2_001, 1)), Err(3));
        assert_eq!(put(&server, "a", &pattern(2_000, 1)), Ok(()));
        assert_eq!(put(&server, "b", b"x"), Err(3));
        fs::remove_file(dir.path().join("there")).unwrap();
        // It is counted anew, but not all the time.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        assert_eq!(put(&server, "b", b"x"), Ok(()));
    }

    /// A disk that cannot hold the file says so before the first byte.
    fn more_than_the_disk_has_is_refused_at_once(setup) {
        let dir = Root::new();
        let server = server(&dir, setup, &[]);
        let mut client = crate::support::Conversation::with(&server);
        client.request(&crate::sender::wrq("f", "octet", &[("tsize", "1000000000000000")]));
        client.expect_error(3);
        holds(&dir, &[]);
    }

    /// Nothing is written outside the directory, nor to a name that is ours, nor over what is no file.
    fn nothing_leads_outside(setup) {
        let around = Root::new();
        around.write("up/sub/file", b"file");
        around.write("secret", b"secret");
        let up = around.path().join("up");
        symlink("..", up.join("out")).unwrap();
        symlink("../secret", up.join("link")).unwrap();
        symlink("sub/file", up.join("inner")).unwrap();
        symlink(around.path(), up.join("absolute")).unwrap();
        let server = crate::sender::builder(&up, setup, &["--upload-policy", "overwrite"]).start();
        for name in [
            "../secret", "/../secret", r"..\secret", "sub/../../secret", "out/secret", "out/new",
            "link", "inner", "absolute/secret", "sub", "sub/", ".", "/", "",
            ".ringboot-upload-0000000000000000", "sub/.ringboot-upload-1",
            "/proc/self/cwd/x/y", "none/x",
        ] {
            let refused = put(&server, name, b"evil");
            assert!(matches!(refused, Err(1 | 2)), "{name}: {refused:?}");
        }
        assert_eq!(fs::read(around.path().join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read(up.join("sub/file")).unwrap(), b"file");
        holds(&around, &["secret", "up"]);
        assert_eq!(put(&server, "sub/new", b"good"), Ok(()));
        assert_eq!(fs::read(up.join("sub/new")).unwrap(), b"good");
    }

    /// The first to be complete wins whole; the other is told, and can begin anew.
    fn two_uploads_of_one_name(setup) {
        use crate::sender::{data, wrq};
        use crate::support::{Conversation, Packet};
        for policy in ["create", "overwrite"] {
            let dir = Root::new();
            let server = server(&dir, setup, &["--upload-policy", policy]);
            let mut first = Conversation::with(&server);
            let mut second = Conversation::with(&server);
            for client in [&mut first, &mut second] {
                client.request(&wrq("f", "octet", &[]));
                assert_eq!(client.expect(), Packet::Ack(0));
                client.send(&data(1, &[b'x'; 512]));
                assert_eq!(client.expect(), Packet::Ack(1));
            }
            second.send(&data(2, b"second"));
            assert_eq!(second.expect(), Packet::Ack(2));
            first.send(&data(2, b"first"));
            first.expect_error(6);
            let whole = [&[b'x'; 512][..], b"second"].concat();
            assert_eq!(fs::read(dir.path().join("f")).unwrap(), whole);
            holds(&dir, &["f"]);
        }
    }
}

/// Without `--upload` nothing is taken.
#[test]
fn uploads_are_off_by_default() {
    use crate::support::Setup;
    let dir = Root::new();
    let server = Server::start(dir.path(), Setup::EPOLL);
    assert_eq!(put(&server, "f", b"x"), Err(2));
    holds(&dir, &[]);
}
