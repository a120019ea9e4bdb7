//! Lines and what becomes of them. `tests/hpa` feeds the result to our own reader.

use super::*;

#[test]
fn each_option_has_its_place() {
    let text = "\
enable-tftp\ntftp-root=/srv/tftp # here\ntftp-unique-root=mac\ntftp-lowercase\n
tftp-port-range=4000,4100\ntftp-mtu=1500\nlisten-address=192.0.2.1,fd00::1\ndhcp-leasefile=/l\n";
    let Translation { toml, notes } = translate("dnsmasq.conf", text);
    for line in [
        "version = 1",
        "root = \"/srv/tftp\"",
        "listen = [\"192.0.2.1:69\", \"[fd00::1]:69\"]",
        "data-ports = \"4000-4100\"",
        "max-blksize = 1468",
        "[roots.default]",
        "unique-root = \"mac\"",
        "lowercase = true",
        "[[clients.leases]]",
        "file = \"/l\"",
    ] {
        assert!(toml.lines().any(|other| other == line), "{line} in\n{toml}");
    }
    assert_eq!(notes, []);
}

#[test]
fn what_has_no_counterpart_is_said() {
    let lines = [
        "enable-tftp=eth0",
        "tftp-root=/a,eth1",
        "tftp-secure",
        "tftp-max=100",
        "tftp-no-blocksize",
        "tftp-no-fail",
        "tftp-new-thing=1",
        "tftp-mtu=x",
        "interface=eth0",
        "conf-dir=/etc/dnsmasq.d",
        "dhcp-range=192.0.2.50,192.0.2.150",
    ];
    let Translation { toml, notes } = translate("x", &lines.join("\n"));
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        assert!(notes.iter().any(|note| note.line == number), "{line}");
        assert!(toml.contains(&format!("#   line {number}: ")), "{line}");
    }
    assert!(toml.contains("# root = \"/srv/tftp\""));
    assert!(toml.contains("# to = \"ADDRESS OF eth1\""));
    let foreign: Vec<_> = notes.iter().filter(|note| note.foreign).collect();
    assert_eq!(foreign.len(), 1);
    assert_eq!(foreign[0].text, lines[10]);
}

#[test]
fn texts_cannot_break_out_of_their_place() {
    let hostile = "tftp-root=/a\\b\u{7}c\ntftp-x=\u{c}\u{b}y\nenable-tftp";
    let toml = translate("a\nroot = \"/\"", hostile).toml;
    assert!(toml.contains(r#"root = "/a\\b\u0007c""#), "{toml}");
    assert!(!toml.lines().any(|line| line == "root = \"/\""));
}
