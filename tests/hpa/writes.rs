//! Write requests for Debian's in.tftpd and for ours: the same flags, files and permissions.
//! It never trusts an ACK: the file is read, and its permissions are compared.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::servers::{Answer, BOTH, Daemon, Which, ask_with, farm, free_address};
use crate::support::programs;

const NOBODY: u32 = 65_534;

/// Files that everybody may write, in a directory that only root may; one that only its owner may,
/// who is the server; and a directory that everybody may write.
fn site() -> TempDir {
    let dir = farm(&["public", "private", "mine", "open/public", "read/public"]);
    let root = dir.path().join("root");
    let mode = |name: &str, mode| {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).expect("permissions");
    };
    mode("public", 0o666);
    mode("open/public", 0o666);
    mode("read/public", 0o666);
    mode("open", 0o777);
    chown(root.join("mine"), Some(NOBODY), None).expect("nobody's file");
    dir
}

fn serve(which: Which, flags: &[&str], root: &Path) -> (Daemon, SocketAddr) {
    let at = free_address();
    let address = at.to_string();
    let root = root.to_str().expect("text");
    let args = [&["-L", "-s", "-a", &address][..], flags, &[root]].concat();
    (Daemon::spawn(which, &args, Stdio::null()).ready(at), at)
}

/// Sends one short block; the answer to the request, or to the block if that is not what it was.
fn put(at: SocketAddr, name: &str, content: &[u8]) -> Answer {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).expect("a time limit");
    let request = [b"\0\x02", name.as_bytes(), b"\0octet\0"].concat();
    socket.send_to(&request, at).expect("sent");
    let mut packet = [0; 600];
    for number in 0..2 {
        let (len, from) = socket.recv_from(&mut packet).expect("an answer");
        match &packet[..len] {
            [0, 4, 0, block] if *block == number => {}
            [0, 5, _, code, text @ .., 0] => return Answer::Error((*code).into(), text.to_vec()),
            other => panic!("{} is no answer", other.escape_ascii()),
        }
        if number == 0 {
            let data = [&[0, 3, 0, 1], content].concat();
            socket.send_to(&data, from).expect("sent");
        }
    }
    Answer::Ack
}

/// What lies there afterwards: content and permissions. in.tftpd itself acknowledges before it has
/// written, so there is a moment to wait.
fn left(root: &Path, name: &str, wanted: &[u8]) -> Option<(Vec<u8>, u32)> {
    let path = root.join(name);
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let content = fs::read(&path).ok();
        if content.as_deref() == Some(wanted) || Instant::now() > deadline {
            let mode = fs::metadata(&path).map(|meta| meta.permissions().mode() & 0o777);
            return content.zip(mode.ok());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_may_write_what_is_as_with_debian() {
    if crate::no_root() {
        return;
    }
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &[],
            &[
                "public",
                "mine",
                "missing",
                "open/public",
                "open/new",
                "read/public",
                "none/new",
            ],
        ),
        (
            &["-c"],
            &["public", "mine", "open/public", "open/new", "none/new"],
        ),
        (&["-p"], &["public", "mine", "open/new"]),
        (
            &["-c", "-p", "-U", "027"],
            &["mine", "open/new", "open/public"],
        ),
        (&["-cU", "0"], &["open/new"]),
    ];
    for (flags, names) in cases {
        for name in names {
            let content = format!("new {name}").into_bytes();
            let [theirs, ours] = BOTH.map(|which| {
                let site = site();
                let root = site.path().join("root");
                let (_daemon, at) = serve(which, flags, &root);
                let answer = put(at, name, &content);
                let wanted = if answer == Answer::Ack {
                    content.clone()
                } else {
                    name.as_bytes().to_vec()
                };
                (answer, left(&root, name, &wanted))
            });
            // A directory that is not there: we say that of the directory, with ERROR 2.
            if *name == "none/new" && flags.contains(&"-c") {
                assert_eq!(ours.0.to_string(), "ERROR 2 No such directory");
                continue;
            }
            assert_eq!(ours, theirs, "{flags:?} {name}");
        }
    }
}

/// Where the user may not write, in.tftpd tells the system's word with ERROR 0. We refuse with the
/// code that says so, and create nothing either.
#[test]
fn what_the_user_may_not_write_is_refused() {
    if crate::no_root() {
        return;
    }
    for (flags, name) in [
        (&[][..], "private"),
        (&["-c"], "private"),
        (&["-p"], "private"),
        (&["-c"], "new"),
        (&["-cp"], "new"),
    ] {
        let [theirs, ours] = BOTH.map(|which| {
            let site = site();
            let root = site.path().join("root");
            let (_daemon, at) = serve(which, flags, &root);
            let answer = put(at, name, b"new");
            (answer, fs::read(root.join(name)).ok())
        });
        assert!(matches!(theirs.0, Answer::Error(0, _)), "{theirs:?}");
        assert!(matches!(ours.0, Answer::Error(2, _)), "{ours:?}");
        assert_eq!(ours.1, theirs.1, "{flags:?} {name}");
    }
}

/// in.tftpd empties a file as soon as somebody asks to write it. Ours keeps it until all of the new
/// one is there, in a directory that takes no other file, too.
#[test]
fn the_old_file_stays_until_the_new_one_is_complete() {
    if crate::no_root() {
        return;
    }
    for name in ["public", "open/public"] {
        let site = site();
        let root = site.path().join("root");
        let (_daemon, at) = serve(Which::Ours, &[], &root);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let request = [b"\0\x02", name.as_bytes(), b"\0octet\0"].concat();
        socket.send_to(&request, at).expect("sent");
        let mut packet = [0; 600];
        let (_, from) = socket.recv_from(&mut packet).expect("an answer");
        let data = [&[0, 3, 0, 1][..], &[b'x'; 512]].concat();
        socket.send_to(&data, from).expect("sent");
        socket.recv_from(&mut packet).expect("an answer");
        assert_eq!(&packet[..4], [0, 4, 0, 1]);
        assert_eq!(
            fs::read(root.join(name)).expect("the file"),
            name.as_bytes()
        );
        socket.send_to(b"\0\x05\0\0gone\0", from).expect("sent");
        assert_eq!(put(at, name, b"new"), Answer::Ack);
        assert_eq!(fs::read(root.join(name)).expect("the file"), b"new");
    }
}

/// New files lie there with the umask that is given, without -p as well, where in.tftpd creates an
/// empty one and refuses.
#[test]
fn a_umask_makes_files_and_no_refusals() {
    if crate::no_root() {
        return;
    }
    let site = site();
    let root = site.path().join("root");
    let (_daemon, at) = serve(Which::Ours, &["-c", "-U", "022"], &root);
    assert_eq!(put(at, "open/new", b"new"), Answer::Ack);
    let mode = fs::metadata(root.join("open/new")).expect("the file");
    assert_eq!(mode.permissions().mode() & 0o777, 0o644);
}

/// `P` rules are for writes alone, `G` rules for reads, and names may lie in several directories.
#[test]
fn map_files_and_directories_hold_for_writes() {
    if crate::no_root() {
        return;
    }
    let [theirs, ours] = BOTH.map(|which| {
        let site = site();
        let root = site.path().join("root");
        let map = site.path().join("map");
        fs::write(
            &map,
            "rP ^cfg$ open/\\i.cfg\nrG ^cfg$ public\naP ^secret No\\ way\n",
        )
        .expect("a map");
        let map = map.to_str().expect("text");
        let (_daemon, at) = serve(which, &["-c", "-m", map], &root);
        let answers = ["cfg", "secret/x"].map(|name| put(at, name, b"mine"));
        let wrote = left(&root, "open/127.0.0.1.cfg", b"mine");
        (answers, wrote, crate::servers::ask(at, b"cfg"))
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours.0[0], Answer::Ack);

    let [theirs, ours] = BOTH.map(|which| {
        let site = site();
        let root = site.path().join("root");
        let at = free_address();
        let (open, read) = (root.join("open"), root.join("read"));
        let [open, read] = [&open, &read].map(|path| path.to_str().expect("text"));
        let address = at.to_string();
        let args = ["-L", "-c", "-a", &address, open, read];
        let _daemon = Daemon::spawn(which, &args, Stdio::null()).ready(at);
        let answers = [
            put(at, &format!("{open}/new"), b"new"),
            put(at, &format!("{read}/public"), b"new"),
            put(
                at,
                &format!("{}/public", root.to_str().expect("text")),
                b"new",
            ),
            put(at, "open/new", b"new"),
        ];
        let wrote = ["open/new", "read/public", "public"].map(|name| left(&root, name, b"new"));
        (answers, wrote)
    });
    assert_eq!(ours, theirs);
}

/// `--refuse`: an option that is never granted.
#[test]
fn refused_options_are_not_granted() {
    if crate::no_root() {
        return;
    }
    let request = b"\0\x01public\0octet\0blksize\x001024\0tsize\x000\0timeout\x003\0";
    let [theirs, ours] = BOTH.map(|which| {
        let site = site();
        let root = site.path().join("root");
        let (_daemon, at) = serve(which, &["-r", "blksize", "--refuse", "TIMEOUT"], &root);
        ask_with(at, request, Duration::from_secs(2))
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours, Answer::Oack(b"tsize\x006\0".to_vec()));
}

/// A file is overwritten in place where its directory takes no other. Who kills the server in the middle
/// of it finds the whole new file all the same.
#[test]
fn a_kill_in_the_middle_of_writing_in_place_leaves_a_whole_file() {
    if crate::no_root() {
        return;
    }
    let site = site();
    let path = site.path().join("root/public");
    let (old, new) = (vec![b'o'; 28 << 20], vec![b'n'; 24 << 20]);
    fs::write(&path, &old).expect("written");
    let (mut daemon, at) = serve(Which::Ours, &[], &site.path().join("root"));
    let (file, size) = (fs::File::open(&path).expect("the file"), new.len());
    let uploading = std::thread::spawn(move || put_large(at, "public", &new));
    let mut first = [b'o'];
    let deadline = Instant::now() + Duration::from_secs(60);
    while first == *b"o" && Instant::now() < deadline {
        // Not faster: the upload wants the core, too.
        std::thread::sleep(Duration::from_micros(100));
        file.read_at(&mut first, 0).expect("read");
    }
    daemon.kill_alone();
    assert_eq!(first, *b"n", "it is written in place");
    let before = fs::read(&path).expect("the file");
    while fs::metadata(&path).expect("the file").len() != size as u64 {
        assert!(Instant::now() < deadline, "it stays in pieces");
        std::thread::sleep(Duration::from_millis(5));
    }
    let after = fs::read(&path).expect("the file");
    assert!(
        after.iter().all(|&byte| byte == b'n'),
        "pieces of the old one"
    );
    println!(
        "{} bytes were new at the kill",
        before.iter().filter(|&&byte| byte == b'n').count()
    );
    // It goes on asking a server that has gone.
    drop(uploading);
}

/// A disk that has no room for the new file keeps the old one, though it is written in place.
#[test]
fn a_full_disk_keeps_the_old_file() {
    if crate::no_root() {
        return;
    }
    let site = site();
    let dir = site.path().join("root/small");
    fs::create_dir(&dir).expect("a directory");
    let at = dir.to_str().expect("text");
    let mount = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=1M,mode=755",
        "tmpfs",
        at,
    ];
    programs::succeed(Path::new("/"), &mount);
    let path = dir.join("public");
    fs::write(&path, "old").expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("permissions");
    let (_daemon, address) = serve(Which::Ours, &[], &site.path().join("root"));
    let answer = put_large(address, "small/public", &vec![b'n'; 3 << 20]);
    let kept = fs::read(&path).expect("the file");
    let fits = put_large(address, "small/public", &vec![b'n'; 400_000]);
    let new = fs::read(&path).expect("the file");
    programs::succeed(Path::new("/"), &["umount", "-l", at]);
    assert_eq!(answer.get(..4), Some(&b"\0\x05\0\x03"[..]), "{answer:?}");
    assert_eq!(kept, b"old");
    assert_eq!((fits.get(1), new.len()), (Some(&4), 400_000));
}

/// Sends a large file in large blocks, until it is over or the server has gone. The last answer.
fn put_large(at: SocketAddr, name: &str, content: &[u8]) -> Vec<u8> {
    const BLKSIZE: usize = 65_464;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let patience = Some(Duration::from_secs(1));
    socket.set_read_timeout(patience).expect("a time limit");
    let request = [b"\0\x02", name.as_bytes(), b"\0octet\0blksize\x0065464\0"].concat();
    let mut packet = [0; 600];
    let asked = (0..20).find_map(|_| {
        socket.send_to(&request, at).expect("sent");
        socket.recv_from(&mut packet).ok()
    });
    let (_, from) = asked.expect("an OACK");
    assert_eq!(packet[1], 6, "an OACK");
    let mut last = Vec::new();
    let mut blocks = content.chunks(BLKSIZE).collect::<Vec<_>>();
    if content.len().is_multiple_of(BLKSIZE) {
        blocks.push(&[]);
    }
    for (number, block) in (1_u16..).zip(blocks) {
        let number = number.to_be_bytes();
        let data = [&[0, 3][..], &number, block].concat();
        let mut tries = 0..20;
        // A server that hears nothing repeats its last ACK; that is no answer to this block.
        last = loop {
            if tries.next().is_none() || socket.send_to(&data, from).is_err() {
                return Vec::new();
            }
            let answer = loop {
                match socket.recv_from(&mut packet) {
                    Ok((4, _)) if packet[1] == 4 && packet[2..4] != number => {}
                    Ok((len, _)) => break Some(packet[..len].to_vec()),
                    Err(_) => break None,
                }
            };
            match answer {
                Some(error) if error.get(1) != Some(&4) => return error,
                Some(ack) => break ack,
                None => {}
            }
        };
    }
    last
}
