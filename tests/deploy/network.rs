//! DHCP servers' configurations and firewall rules, as the programs that read them check them.
//! It never starts a DHCP server and never changes a firewall.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::support::{Netns, netns};
use super::tools::{from_here, succeed, unpacked};

#[test]
fn dnsmasq_takes_its_files() {
    let Some(folder) = unpacked(&["dnsmasq-base"]) else {
        return;
    };
    for file in [
        "network/dnsmasq.conf",
        "network/dnsmasq-proxy.conf",
        "container/dnsmasq.conf",
    ] {
        let mut dnsmasq = Command::new(folder.join("usr/sbin/dnsmasq"));
        let path = from_here("deploy").join(file);
        let said = succeed(dnsmasq.args(["--test", "-C"]).arg(path));
        assert!(said.contains("syntax check OK"), "{said}");
    }
}

#[test]
fn isc_dhcpd_takes_its_file() {
    let Some(folder) = unpacked(&["isc-dhcp-server"]) else {
        return;
    };
    let mut dhcpd = Command::new(folder.join("usr/sbin/dhcpd"));
    succeed(
        dhcpd
            .args(["-t", "-cf"])
            .arg(from_here("deploy/network/dhcpd.conf")),
    );
}

#[test]
fn kea_takes_its_file() {
    let packages = [
        "kea-dhcp4-server",
        "kea-common",
        "liblog4cplus-2.0.5",
        "libmariadb3",
    ];
    let Some(folder) = unpacked(&packages) else {
        return;
    };
    let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let libraries = folder.join(libraries);
    let mut kea = Command::new(folder.join("usr/sbin/kea-dhcp4"));
    kea.env("LD_LIBRARY_PATH", libraries)
        // Its own folder for locks is not there.
        .env("KEA_LOCKFILE_DIR", &folder);
    let said = succeed(
        kea.arg("-t")
            .arg(from_here("deploy/network/kea-dhcp4.json")),
    );
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn nftables_takes_the_firewall() {
    if !netns::privileged() {
        return;
    }
    let netns = Netns::new();
    for file in ["firewall.nft", "firewall-helper.nft"] {
        let path = from_here("deploy/network").join(file);
        let path = path.to_str().expect("a plain path");
        let output = netns.run(Path::new("/"), &["nft", "-c", "-f", path]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {errors}");
    }
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut pages = vec![from_here("README.md"), from_here("tests/README.md")];
    let mut folders = vec![from_here("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 5, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).expect("text");
        let targets = text.split("](").skip(1);
        for target in targets.filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("a part");
            if file.is_empty() || target.contains("://") {
                continue;
            }
            let path = page.parent().expect("a folder").join(file);
            assert!(path.exists(), "{}: {target}", page.display());
        }
    }
}
