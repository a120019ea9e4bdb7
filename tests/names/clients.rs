//! Real clients meet rules; hardware addresses from leases files and from the kernel.

use std::fs;

use crate::site::{Site, ask};
use crate::support::netns::{Pair, privileged};
use crate::support::{Fetch, Root, Server, Setup, programs};

/// A client's words for a port and a name.
type Command = fn(&str, &str) -> Vec<String>;

/// Every kind of rule by every client: what arrives is the file that was meant.
fn every_client(setup: Setup) {
    let site = Site::new(
        r"
        [roots.windows]
        path = 'windows'
        ignore-case = true
        [templates.who]
        content = 'you are {{ip}}'
        [[rule]]
        match = '^rewritten$'
        rewrite = 'deep/{{ip-hex}}'
        [[rule]]
        match = '^redirected$'
        root = 'windows'
        [[rule]]
        match = '^chosen$'
        try = ['none', 'deep/second']
        [[rule]]
        match = '^made$'
        template = 'who'
        [[rule]]
        match = '^denied$'
        deny = 'Not for you'
    ",
    )
    .files(&[
        "root/deep/7F000001",
        "windows/ReDirected",
        "root/deep/second",
        "root/denied",
    ]);
    let server = site.serve(setup);
    let port = server.addr().port().to_string();
    let clients: [(&str, Command); 4] = [
        ("curl", |port, name| {
            words(&[
                "curl",
                "-sS",
                "--max-time",
                "20",
                "-o",
                "out",
                &format!("tftp://127.0.0.1:{port}/{name}"),
            ])
        }),
        ("tftp-hpa", |port, name| {
            words(&[
                "tftp",
                "-m",
                "binary",
                "127.0.0.1",
                port,
                "-c",
                "get",
                name,
                "out",
            ])
        }),
        ("atftp", |port, name| {
            words(&["atftp", "--get", "-r", name, "-l", "out", "127.0.0.1", port])
        }),
        ("busybox", |port, name| {
            words(&[
                "busybox",
                "tftp",
                "-g",
                "-r",
                name,
                "-l",
                "out",
                "127.0.0.1",
                port,
            ])
        }),
    ];
    for (client, command) in clients {
        for (name, content) in [
            ("rewritten", "root/deep/7F000001"),
            ("redirected", "windows/ReDirected"),
            ("chosen", "root/deep/second"),
            ("made", "you are 127.0.0.1"),
        ] {
            let dir = Root::new();
            let argv = command(&port, name);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            programs::succeed(dir.path(), &argv);
            let got = fs::read_to_string(dir.path().join("out")).expect("a file");
            assert_eq!(got, content, "{client}: {name}");
        }
        let dir = Root::new();
        let argv = command(&port, "denied");
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        programs::run(dir.path(), &argv);
        let left = fs::read(dir.path().join("out")).unwrap_or_default();
        assert!(left.is_empty(), "{client} got what is denied");
    }
    server.stop();
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

backends! {
    fn real_clients_meet_every_kind_of_rule(setup) {
        every_client(setup);
    }
}

/// A leases file in each format decides, and its next version is noticed.
#[test]
fn leases_tell_hardware_addresses() {
    for (format, lease) in [
        ("dnsmasq", "0 52:54:00:00:00:07 127.0.0.2 node7 *\n"),
        (
            "isc",
            "lease 127.0.0.2 {\n  binding state active;\n  hardware ethernet 52:54:00:00:00:07;\n  client-hostname \"node7\";\n}\n",
        ),
        (
            "kea",
            "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n127.0.0.2,52:54:00:00:00:07,,1,1,1,0,0,node7,0\n",
        ),
    ] {
        let site = Site::new(&format!(
            r"
            [clients]
            leases = [{{ file = 'leases', format = '{format}' }}]
            [roots.default]
            unique-root = 'mac'
            [[rule]]
            mac = '52:54:00'
            match = '^who$'
            try = ['{{{{hostname}}}}']
        "
        ))
        .files(&[
            "root/52-54-00-00-00-07/file",
            "root/52-54-00-00-00-07/node7",
            "root/file",
            "root/who",
        ]);
        fs::write(site.path().join("leases"), lease).expect("written");
        let server = site.serve(Setup::EPOLL);
        let get = |ip, name| ask(&server, ip, name).unwrap_or_else(|error| format!("{error:?}"));
        assert_eq!(
            get("127.0.0.2", "file"),
            "root/52-54-00-00-00-07/file",
            "{format}"
        );
        assert_eq!(
            get("127.0.0.2", "who"),
            "root/52-54-00-00-00-07/node7",
            "{format}"
        );
        assert_eq!(get("127.0.0.3", "file"), "root/file", "{format}");
        assert_eq!(get("127.0.0.3", "who"), "root/who", "{format}");
        server.stop();
    }
}

/// The kernel knows who is on its own link, for IPv4 and IPv6.
#[test]
fn the_neighbour_table_tells_hardware_addresses() {
    if !privileged() {
        return;
    }
    let pair = Pair::new();
    let output = pair.client.run(
        std::path::Path::new("/"),
        &["cat", "/sys/class/net/eth0/address"],
    );
    let mac = String::from_utf8(output.stdout).expect("text");
    let mac = mac.trim();
    let site = Site::new(&format!(
        "[[rule]]\nmac = '{mac}'\ntry = ['{{{{mac-pxelinux}}}}']\n"
    ));
    let own = format!("root/01-{}", mac.replace(':', "-"));
    let site = site.file(&own).file("root/file");
    let server = Server::on(&site.root(), Setup::EPOLL)
        .netns(&pair.server)
        .listen("192.0.2.1:69")
        .listen("[2001:db8::1]:69")
        .args(&["--config", &site.config()])
        .start();
    for (local, addr) in [
        ("192.0.2.2:0", server.addrs()[0]),
        ("[2001:db8::2]:0", server.addrs()[1]),
    ] {
        let fetched = Fetch::from(pair.client.socket(local), addr, "file", &[]).complete();
        assert_eq!(
            String::from_utf8(fetched.data).expect("text"),
            own,
            "{local}"
        );
    }
    server.stop();
}
