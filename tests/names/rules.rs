//! One test for each thing that a rule, a root or a template can do.

use std::thread;

use crate::site::{Site, ask, ask_with};
use crate::support::{Conversation, Fetch, packet};

fn ok(text: &str) -> Result<String, (u16, String)> {
    Ok(text.into())
}

fn missing() -> Result<String, (u16, String)> {
    Err((1, "File not found".into()))
}

backends! {
    /// Captures and every spelling of the client's address, in one chain of rules.
    fn rewrites_follow_one_another(setup) {
        let site = Site::new(r"
            [[rule]]
            match = '^boot/(?<what>[a-z]+)[.]cfg$'
            rewrite = '{{what|upper}}/{{ip-hex}}/{{ip}}'
            [[rule]]
            match = '^KERNEL/(.*)'
            rewrite = 'k/{{1}}'
            stop = true
            [[rule]]
            match = '^k/'
            deny = true
        ").file("root/k/7F000002/127.0.0.2").file("root/other");
        let server = site.serve(setup);
        assert_eq!(ask(&server, "127.0.0.2", "/boot//kernel.cfg"), ok("root/k/7F000002/127.0.0.2"));
        assert_eq!(ask(&server, "127.0.0.3", "boot/kernel.cfg"), missing());
        assert_eq!(ask(&server, "127.0.0.3", "other"), ok("root/other"));
        server.stop();
    }

    /// A refusal has the operator's code and text, and no other spelling of the name gets around it.
    fn denials_hold_for_every_spelling(setup) {
        let site = Site::new(r#"
            [[rule]]
            name = "no keys"
            match = '^secret/'
            deny = { code = 0, text = "Ask the operator" }
        "#).files(&["root/secret/key", "root/open"]);
        let server = site.serve(setup);
        for name in ["secret/key", "/secret/key", "//secret///key", r"\secret\key", "./secret/./key"] {
            assert_eq!(ask(&server, "127.0.0.1", name), Err((0, "Ask the operator".into())), "{name}");
        }
        let mut client = Conversation::with(&server);
        client.request(&packet::request(1, b"secret/key\xff", "octet", &[]));
        assert_eq!(client.expect_error(0), "Ask the operator", "with an end mark");
        let refused = server.wait_for(|transfer| transfer.outcome() == "refused");
        assert!(refused.text("reason").starts_with("rule 1 \"no keys\" (line "), "{}", refused.0);
        assert_eq!(ask(&server, "127.0.0.1", "open"), ok("root/open"));
        server.stop();
    }

    /// The image of a name belongs to the verdict: clients that ask for one name at the same time
    /// get each their own file.
    fn clients_never_share_what_is_not_theirs(setup) {
        let site = Site::new(r"
            [roots.default]
            unique-root = 'ip'
            [roots.odd]
            path = 'odd'
            [[rule]]
            from = ['127.0.0.64/26']
            root = 'odd'
        ").files(&["root/boot.cfg", "odd/boot.cfg", "root/127.0.0.2/boot.cfg", "root/127.0.0.3/boot.cfg"]);
        let server = site.serve(setup);
        thread::scope(|scope| {
            for (ip, expected) in [
                ("127.0.0.1", "root/boot.cfg"),
                ("127.0.0.2", "root/127.0.0.2/boot.cfg"),
                ("127.0.0.3", "root/127.0.0.3/boot.cfg"),
                ("127.0.0.65", "odd/boot.cfg"),
            ] {
                let server = &server;
                scope.spawn(move || {
                    for _ in 0..50 {
                        assert_eq!(ask(server, ip, "boot.cfg"), ok(expected), "{ip}");
                    }
                });
            }
        });
        // As in dnsmasq, who has a directory has nothing else.
        assert_eq!(ask(&server, "127.0.0.2", "127.0.0.3/boot.cfg"), missing());
        server.stop();
    }

    /// Fallback chains: the first file that exists, in the rule's root.
    fn the_first_file_that_exists_wins(setup) {
        let site = Site::new(r"
            [roots.default]
            fallback = 'common'
            [roots.common]
            path = 'common'
            [[rule]]
            match = '^grub[.]cfg$'
            try = ['hosts/{{ip}}.cfg', 'hosts/{{mac-dash}}.cfg', 'grub/default.cfg']
        ").files(&["root/hosts/127.0.0.2.cfg", "common/grub/default.cfg", "common/vmlinuz", "root/own"]);
        let server = site.serve(setup);
        assert_eq!(ask(&server, "127.0.0.2", "grub.cfg"), ok("root/hosts/127.0.0.2.cfg"));
        assert_eq!(ask(&server, "127.0.0.1", "grub.cfg"), ok("common/grub/default.cfg"));
        assert_eq!(ask(&server, "127.0.0.1", "vmlinuz"), ok("common/vmlinuz"));
        assert_eq!(ask(&server, "127.0.0.1", "own"), ok("root/own"));
        assert_eq!(ask(&server, "127.0.0.1", "none"), missing());
        server.stop();
    }

    /// Virtual files: for the client that asks, with its size, in octet and netascii.
    fn templates_are_files_for_one_client(setup) {
        let site = Site::new(r#"
            [[host]]
            ip = "127.0.0.2"
            mac = "52:54:00:12:34:56"
            hostname = "node7"
            [templates.ipxe]
            content = """
#!ipxe
# {{hostname|or=nobody}} {{mac|or=-}} at {{server}}
kernel tftp://{{server}}/{{1}} ip={{ip}} hw=${net0/mac}
"""
            [[rule]]
            match = '^(.+)[.]ipxe$'
            try = ["static/{{name}}"]
            template = "ipxe"
        "#).file("root/static/fixed.ipxe");
        let server = site.serve(setup);
        let made = "#!ipxe\n# node7 52:54:00:12:34:56 at 127.0.0.1\nkernel tftp://127.0.0.1/linux/vmlinuz ip=127.0.0.2 hw=${net0/mac}\n";
        assert_eq!(ask(&server, "127.0.0.2", "linux/vmlinuz.ipxe"), ok(made));
        let socket = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
        let fetched = Fetch::from(socket, server.addr(), "linux/vmlinuz.ipxe", &[("tsize", "0")]).complete();
        assert_eq!(fetched.oack, [("tsize".to_string(), made.len().to_string())]);
        let socket = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
        let fetched = Fetch::from(socket, server.addr(), "", &[]).netascii("linux/vmlinuz.ipxe", &[]).complete();
        assert_eq!(String::from_utf8(fetched.data).unwrap(), made.replace('\n', "\r\n"));
        let stranger = ask(&server, "127.0.0.1", "x.ipxe").expect("a file");
        assert!(stranger.contains("# nobody - at 127.0.0.1\n") && stranger.contains("ip=127.0.0.1"), "{stranger}");
        assert_eq!(ask(&server, "127.0.0.1", "fixed.ipxe"), ok("root/static/fixed.ipxe"));
        // What a client sends never becomes a line of the script.
        assert_eq!(ask(&server, "127.0.0.1", "x\nkernel tftp://evil/x.ipxe"), missing());
        server.stop();
    }

    /// Windows: any case, backslashes, and rules that see through both.
    fn windows_clients_find_their_files(setup) {
        let site = Site::new(r"
            [roots.default]
            ignore-case = true
            [[rule]]
            match = '^boot/secret'
            deny = true
        ").files(&["root/Boot/BCD", "root/Boot/x64/wdsnbp.com", "root/Boot/Secret.txt", "root/Two", "root/TWO"]);
        let server = site.serve(setup);
        assert_eq!(ask(&server, "127.0.0.1", r"\boot\bcd"), ok("root/Boot/BCD"));
        assert_eq!(ask(&server, "127.0.0.1", r"BOOT\X64\wdsNBP.com"), ok("root/Boot/x64/wdsnbp.com"));
        assert_eq!(ask(&server, "127.0.0.1", r"boot\SECRET.txt").unwrap_err().0, 2);
        assert_eq!(ask(&server, "127.0.0.1", "Two"), ok("root/Two"), "the exact one first");
        assert_eq!(ask(&server, "127.0.0.1", "tWO"), ok("root/TWO"), "else the first in order");
        assert_eq!(ask(&server, "127.0.0.1", r"..\ringboot.toml").unwrap_err().0, 2);
        server.stop();
    }

    /// Options, there, absent or with a value; and the operation.
    fn rules_look_at_options_and_the_operation(setup) {
        let site = Site::new(r"
            [[rule]]
            operation = 'write'
            rewrite = 'written'
            [[rule]]
            options = { windowsize = true, tsize = false }
            rewrite = 'windowed'
            stop = true
            [[rule]]
            options = { blksize = 1428 }
            rewrite = 'efi'
            stop = true
        ").files(&["root/windowed", "root/efi", "root/plain"]);
        let server = site.serve(setup);
        assert_eq!(ask_with(&server, "127.0.0.1", "plain", &[("WindowSize", "4")]), ok("root/windowed"));
        assert_eq!(ask_with(&server, "127.0.0.1", "plain", &[("windowsize", "4"), ("tsize", "0"), ("blksize", "1428")]), ok("root/efi"));
        assert_eq!(ask_with(&server, "127.0.0.1", "plain", &[("blksize", "1024")]), ok("root/plain"));
        assert_eq!(ask(&server, "127.0.0.1", "plain"), ok("root/plain"));
        server.stop();
    }

    /// Rules that rewrite each other's names, or their own, for ever.
    fn loops_end_in_a_refusal(setup) {
        let site = Site::new(r"
            [[rule]]
            match = '^loop/'
            rewrite = 'loop/x'
            repeat = true
            [[rule]]
            match = 'aa'
            rewrite = 'a'
            repeat = true
        ").files(&["root/a", "root/other"]);
        let server = site.serve(setup);
        assert_eq!(ask(&server, "127.0.0.1", "loop/y"), Err((2, "Access violation".into())));
        let refused = server.wait_for(|transfer| transfer.outcome() == "refused");
        assert!(refused.text("reason").contains("rewrites without end"), "{}", refused.0);
        assert_eq!(ask(&server, "127.0.0.1", "aaaaaaaa"), ok("root/a"));
        assert_eq!(ask(&server, "127.0.0.1", "other"), ok("root/other"));
        server.stop();
    }
}
