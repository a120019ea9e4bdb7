//! RFC 2348: the block size.

use crate::support::netns::{Pair, privileged};
use crate::support::packet::error;
use crate::support::{Conversation, Fetch, Root, Server, pattern};

matrix! {
    /// Valid sizes are 8 to 65,464; all of them work where the interface is wide enough.
    fn sizes_from_8_to_65464_are_granted(setup) {
        let data = pattern(140_000, 1);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        for blksize in ["8", "9", "511", "512", "513", "1428", "1468", "8192", "32768", "65463", "65464"] {
            let content = if blksize.len() == 1 { &data[..2000] } else { &data[..] };
            root.write("part", content);
            let fetched = Fetch::new(&server, "part", &[("blksize", blksize)]).complete();
            assert_eq!(fetched.oack, [("blksize".to_string(), blksize.to_string())]);
            assert!(fetched.data == content, "blksize {blksize}: the same bytes");
        }
    }

    /// "... less than or equal to the value specified by the client": a larger wish gets the
    /// largest size that there is.
    fn more_than_65464_gets_65464(setup) {
        let root = Root::with("file", &pattern(700, 2));
        let server = Server::start(root.path(), setup);
        for blksize in ["65465", "65535", "65536", "4294967297"] {
            let mut client = Conversation::with(&server);
            client.rrq("file", "octet", &[("blksize", blksize)]);
            client.expect_oack(&[("blksize", "65464")]);
            client.send(&error(8, "enough"));
        }
    }

    /// A file of whole blocks ends with an empty one at every size.
    fn whole_blocks_end_with_an_empty_one(setup) {
        let data = pattern(3 * 1000, 3);
        let root = Root::with("file", &data);
        let server = Server::start(root.path(), setup);
        let mut client = Conversation::with(&server);
        client.rrq("file", "octet", &[("blksize", "1000")]);
        client.expect_oack(&[("blksize", "1000")]);
        client.ack(0);
        client.receive_rest(&data, 1000, 1);
        assert_eq!(server.transfer_with(client.local()).number("blksize"), 1000);
    }

    /// `--max-blksize` is the largest granted, whatever the interface takes.
    fn the_operator_sets_the_largest(setup) {
        let data = pattern(5000, 4);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup).args(&["--max-blksize", "1024"]).start();
        for (asked, granted) in [("1468", "1024"), ("1024", "1024"), ("600", "600")] {
            let fetched = Fetch::new(&server, "file", &[("blksize", asked)]).complete();
            assert_eq!(fetched.oack, [("blksize".to_string(), granted.to_string())]);
            assert!(fetched.data == data, "the same bytes");
        }
    }

    /// No more is granted than the interface's MTU takes in one piece: 1,500 less the headers of
    /// IP, UDP and TFTP. `--max-blksize` overrides it.
    fn the_interface_bounds_the_size(setup) {
        if !privileged() {
            return;
        }
        let pair = Pair::new();
        let data = pattern(5000, 5);
        let root = Root::with("file", &data);
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().start();
        for (client, to, granted) in [("192.0.2.2:0", "192.0.2.1:69", "1468"), ("[2001:db8::2]:0", "[2001:db8::1]:69", "1448")] {
            let socket = pair.client.socket(client);
            let fetched = Fetch::from(socket, to.parse().unwrap(), "file", &[("blksize", "65464")]).complete();
            assert_eq!(fetched.oack, [("blksize".to_string(), granted.to_string())]);
            assert!(fetched.data == data, "the same bytes");
        }
        server.stop();
        let server = Server::on(root.path(), setup).netns(&pair.server).default_listen().args(&["--max-blksize", "4000"]).start();
        let socket = pair.client.socket("192.0.2.2:0");
        let fetched = Fetch::from(socket, "192.0.2.1:69".parse().unwrap(), "file", &[("blksize", "65464")]).complete();
        assert_eq!(fetched.oack, [("blksize".to_string(), "4000".to_string())]);
        assert!(fetched.data == data, "fragments arrive too");
        server.stop();
    }
}
