//! Transfers that succeed, whatever happens on the way.
//! It never measures time.

use std::time::Duration;

use tempfile::tempdir;

use super::script::{
    Side, content, data, files, get, local_socket, receive, ringboot, server, stderr,
};

#[test]
fn an_oack_is_acknowledged_and_windows_follow() {
    let sent = content(100);
    let copy = sent.clone();
    let (port, script) = server(move |side| {
        let request = side.request();
        let asked =
            b"dir/file.bin\0octet\0blksize\x0016\0windowsize\x004\0tsize\x000\0timeout\x003\0";
        assert_eq!(request, asked);
        side.oack(b"blksize\x0016\0windowsize\x003\0tsize\x00100\0timeout\x003\0");
        side.expect_ack(0);
        side.send_file(&copy, 16, 3, |block| block as u16);
    });
    let place = tempdir().unwrap();
    let args = ["--blksize", "16", "--windowsize", "4", "--timeout", "3"];
    let output = get(place.path(), port, &args);
    script.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(std::fs::read(place.path().join("file.bin")).unwrap(), sent);
    assert_eq!(files(place.path()), ["file.bin"]);
    assert!(stderr(&output).contains("100 bytes in "));
    assert!(stderr(&output).contains("(blksize 16, windowsize 3, 0 resends)"));
}

#[test]
fn a_server_without_options_is_followed_in_lock_step() {
    let sent = content(1024);
    let copy = sent.clone();
    let (port, script) = server(move |side| {
        side.request();
        side.send_file(&copy, 512, 1, |block| block as u16);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--blksize", "8", "--quiet"]);
    script.join().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
    assert_eq!(std::fs::read(place.path().join("file.bin")).unwrap(), sent);
}

#[test]
fn an_empty_file_is_a_file() {
    let (port, script) = server(|side| {
        side.request();
        side.oack(b"tsize\x000\0");
        side.expect_ack(0);
        side.data(1, b"");
        side.expect_ack(1);
    });
    let place = tempdir().unwrap();
    assert!(get(place.path(), port, &[]).status.success());
    script.join().unwrap();
    assert_eq!(std::fs::read(place.path().join("file.bin")).unwrap(), b"");
}

#[test]
fn a_lost_request_is_sent_again_from_the_same_port() {
    let (port, script) = server(|side| {
        let first = side.request();
        let client = side.client();
        assert_eq!(side.request(), first);
        assert_eq!(side.client(), client);
        side.data(1, b"late");
        side.expect_ack(1);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--timeout", "0.05", "-o", "-"]);
    script.join().unwrap();
    assert_eq!(output.stdout, b"late");
    assert!(files(place.path()).is_empty());
}

#[test]
fn what_comes_twice_is_acknowledged_twice_and_kept_once() {
    let (port, script) = server(|side| {
        side.request();
        side.oack(b"blksize\x008\0");
        side.expect_ack(0);
        side.oack(b"blksize\x008\0");
        side.expect_ack(0);
        side.data(1, b"12345678");
        side.expect_ack(1);
        side.data(1, b"12345678");
        side.expect_ack(1);
        side.data(2, b"9");
        side.expect_ack(2);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--blksize", "8", "-o", "-"]);
    script.join().unwrap();
    assert_eq!(output.stdout, b"123456789");
}

#[test]
fn a_lost_ack_is_repeated_when_the_server_is_silent() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, &[7; 512]);
        side.expect_ack(1);
        side.expect_ack(1);
        side.data(2, b"");
        side.expect_ack(2);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--timeout", "0.05", "-o", "-"]);
    script.join().unwrap();
    assert_eq!(output.stdout, [7; 512]);
}

#[test]
fn the_last_ack_is_repeated_for_a_server_that_asks_again() {
    let (port, script) = server(|side| {
        side.request();
        // A slow path makes for a longer stay, so that this test does not hang on milliseconds.
        std::thread::sleep(Duration::from_millis(40));
        side.data(1, b"end");
        side.data(1, b"end");
        side.expect_ack(1);
        side.expect_ack(1);
    });
    let place = tempdir().unwrap();
    assert!(get(place.path(), port, &[]).status.success());
    script.join().unwrap();
}

#[test]
fn another_port_hears_error_5_and_disturbs_nothing() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, &[1; 512]);
        side.expect_ack(1);
        let stranger = local_socket();
        for packet in [data(2, b"not this"), b"\0\x05\0\0stop\0".to_vec()] {
            stranger.send_to(&packet, side.client()).unwrap();
            assert_eq!(receive(&stranger)[..4], [0, 5, 0, 5]);
        }
        // It is gone when its last answer arrives there: an ICMP error that is none of ours.
        stranger
            .send_to(&data(2, b"nor this"), side.client())
            .unwrap();
        drop(stranger);
        side.data(2, b"but this");
        side.expect_ack(2);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["-o", "-"]);
    script.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(output.stdout[512..], *b"but this");
}

#[test]
fn a_gap_in_a_window_is_reported_once() {
    let (port, script) = server(|side| {
        side.request();
        side.oack(b"blksize\x008\0windowsize\x004\0");
        side.expect_ack(0);
        side.data(1, b"11111111");
        side.data(3, b"33333333");
        side.data(4, b"44444444");
        side.expect_ack(1);
        side.data(2, b"22222222");
        side.data(3, b"33333333");
        side.data(4, b"44444444");
        side.data(5, b"55555555");
        side.expect_ack(5);
        side.data(6, b"6");
        side.expect_ack(6);
    });
    let place = tempdir().unwrap();
    let output = get(place.path(), port, &["--blksize", "8", "-o", "-"]);
    script.join().unwrap();
    assert_eq!(output.stdout, b"11111111222222223333333344444444555555556");
    assert!(stderr(&output).contains("1 resends"));
}

#[test]
fn block_numbers_wrap_to_zero() {
    wraps(|block| block as u16);
}

#[test]
fn block_numbers_may_wrap_to_one() {
    wraps(|block| ((block - 1) % 0xffff) as u16 + 1);
}

/// A file with more blocks than 16 bits count. With 17 blocks in a window, 65,535 ends one and the
/// whole next window comes before the client says what it made of it.
fn wraps(number: fn(usize) -> u16) {
    const WINDOW: usize = 17;
    let sent = content(66_000 * 8 + 3);
    let copy = sent.clone();
    let (port, script) = server(move |side| {
        side.request();
        side.oack(b"blksize\x008\0windowsize\x0017\0");
        side.expect_ack(0);
        let (before, after) = copy.split_at(65_535 * 8);
        for (index, block) in before.chunks(8).enumerate() {
            side.data(number(index + 1), block);
            if (index + 1) % WINDOW == 0 {
                side.expect_ack(number(index + 1));
            }
        }
        send_after_wrap(side, after, number, WINDOW);
    });
    let place = tempdir().unwrap();
    let args = ["--blksize", "8", "--windowsize", "17"];
    let output = get(place.path(), port, &args);
    script.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let received = std::fs::read(place.path().join("file.bin")).unwrap();
    assert!(received == sent, "the content differs");
}

/// Goes on from any block that the client acknowledges, as RFC 7440 wants it.
fn send_after_wrap(side: &Side, rest: &[u8], number: fn(usize) -> u16, window: usize) {
    let blocks: Vec<&[u8]> = rest.chunks(8).collect();
    let mut done = 0;
    while done < blocks.len() {
        let end = blocks.len().min(done + window);
        for (index, block) in blocks.iter().enumerate().take(end).skip(done) {
            side.data(number(65_536 + index), block);
        }
        let packet = side.next();
        let acked = u16::from_be_bytes([packet[2], packet[3]]);
        let found = (done..=end).find(|&count| number(65_535 + count) == acked);
        done = found.unwrap_or_else(|| panic!("ACK {acked} is outside of the window"));
    }
}

#[test]
fn netascii_becomes_local_text_across_blocks() {
    let (port, script) = server(|side| {
        let request = side.request();
        assert!(request.starts_with(b"dir/file.bin\0netascii\0blksize\x008\0"));
        assert!(!request.windows(5).any(|part| part == b"tsize"));
        side.oack(b"blksize\x008\0");
        side.expect_ack(0);
        side.send_file(b"line on\r\ncr\r\0end\r\n", 8, 1, |block| block as u16);
    });
    let place = tempdir().unwrap();
    let output = get(
        place.path(),
        port,
        &["--netascii", "--blksize", "8", "-o", "-"],
    );
    script.join().unwrap();
    assert_eq!(output.stdout, b"line on\ncr\rend\n");
}

#[test]
fn the_output_may_be_a_directory_or_a_device() {
    for (out, left) in [("sub", &["file.bin"][..]), ("/dev/null", &[])] {
        let (port, script) = server(|side| {
            side.request();
            side.data(1, b"x");
            side.expect_ack(1);
        });
        let place = tempdir().unwrap();
        let sub = place.path().join("sub");
        std::fs::create_dir(&sub).unwrap();
        assert!(get(place.path(), port, &["-o", out]).status.success());
        script.join().unwrap();
        assert_eq!(files(&sub), left);
    }
    let device = std::fs::metadata("/dev/null").unwrap();
    assert!(!device.is_file(), "the device was replaced");
}

#[test]
fn the_next_address_of_a_name_is_tried() {
    let (port, script) = server(|side| {
        side.request();
        side.data(1, b"here");
        side.expect_ack(1);
    });
    let place = tempdir().unwrap();
    // Where the name also has an IPv6 address, nobody listens on that one.
    let server = format!("localhost:{port}");
    let output = ringboot(place.path(), &["get", &server, "f", "-o", "-"]).output();
    script.join().unwrap();
    assert_eq!(output.unwrap().stdout, b"here");
}
