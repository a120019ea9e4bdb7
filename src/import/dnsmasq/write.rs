//! The configuration as text, with comments where an operator must look.
//! It never writes what our own reader would refuse.

use core::fmt::Write;
use core::net::IpAddr;

use super::{Note, RootLine, Unique, Wanted};

/// Where dnsmasq keeps its leases unless told otherwise.
const LEASES: &str = "/var/lib/misc/dnsmasq.leases";

pub(super) fn toml(origin: &str, wanted: &Wanted) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, origin, wanted);
    out
}

fn write(out: &mut String, origin: &str, wanted: &Wanted) -> core::fmt::Result {
    writeln!(
        out,
        "# Translated from {} by `ringboot import dnsmasq`.",
        one_line(origin)
    )?;
    notes(out, &wanted.notes)?;
    writeln!(out, "\nversion = 1\n")?;
    let default = wanted.roots.iter().find(|root| root.interface.is_none());
    match default {
        Some(root) => writeln!(out, "root = {}", string(&root.dir))?,
        None => writeln!(out, "# root = \"/srv/tftp\"")?,
    }
    if !wanted.listen.is_empty() {
        let addresses: Vec<_> = wanted
            .listen
            .iter()
            .map(|ip| string(&at_port(*ip)))
            .collect();
        writeln!(out, "listen = [{}]", addresses.join(", "))?;
    }
    if wanted.single_port {
        writeln!(out, "single-port = true")?;
    }
    if let Some((low, high)) = wanted.ports {
        writeln!(out, "data-ports = \"{low}-{high}\"")?;
    }
    if let Some(blksize) = wanted.blksize() {
        writeln!(out, "max-blksize = {blksize}")?;
    }
    root_ways(out, "default", None, wanted)?;
    for (number, root) in by_interface(wanted) {
        root_ways(out, &format!("interface-{number}"), Some(&root.dir), wanted)?;
    }
    if wanted.unique == Some(Unique::Mac) {
        let file = wanted.leases.as_deref().unwrap_or(LEASES);
        writeln!(
            out,
            "\n# Clients' hardware addresses: the neighbour table, then dnsmasq's leases."
        )?;
        writeln!(
            out,
            "[[clients.leases]]\nfile = {}\nformat = \"dnsmasq\"",
            string(file)
        )?;
    }
    for (number, root) in by_interface(wanted) {
        let interface = one_line(root.interface.as_deref().unwrap_or_default());
        writeln!(out, "\n# Requests that arrive on {interface}.")?;
        writeln!(
            out,
            "# [[rule]]\n# to = \"ADDRESS OF {interface}\"\n# root = \"interface-{number}\""
        )?;
    }
    if let Some(root) = default {
        full_paths(out, &root.dir)?;
    }
    Ok(())
}

fn notes(out: &mut String, notes: &[Note]) -> core::fmt::Result {
    let (foreign, ours): (Vec<&Note>, Vec<&Note>) = notes.iter().partition(|note| note.foreign);
    if !ours.is_empty() {
        writeln!(out, "#\n# Please look at these:")?;
    }
    for note in ours {
        match note.line {
            0 => writeln!(out, "#   {}", one_line(&note.text))?,
            line => writeln!(out, "#   line {line}: {}", one_line(&note.text))?,
        }
    }
    if !foreign.is_empty() {
        writeln!(out, "#\n# Not about TFTP, and left to dnsmasq:")?;
    }
    for note in foreign {
        writeln!(out, "#   line {}: {}", note.line, one_line(&note.text))?;
    }
    Ok(())
}

fn by_interface(wanted: &Wanted) -> impl Iterator<Item = (usize, &RootLine)> {
    let roots = wanted.roots.iter().filter(|root| root.interface.is_some());
    roots.enumerate().map(|(index, root)| (index + 1, root))
}

/// `path` is left out where the file says it above.
fn root_ways(
    out: &mut String,
    name: &str,
    path: Option<&str>,
    wanted: &Wanted,
) -> core::fmt::Result {
    if path.is_none() && wanted.unique.is_none() && !wanted.lowercase {
        return Ok(());
    }
    writeln!(out, "\n[roots.{name}]")?;
    if let Some(path) = path {
        writeln!(out, "path = {}", string(path))?;
    }
    match wanted.unique {
        Some(Unique::Ip) => writeln!(out, "unique-root = \"ip\"")?,
        Some(Unique::Mac) => writeln!(out, "unique-root = \"mac\"")?,
        None => {}
    }
    if wanted.lowercase {
        writeln!(out, "lowercase = true")?;
    }
    Ok(())
}

/// dnsmasq takes names that begin with the root's own path.
fn full_paths(out: &mut String, dir: &str) -> core::fmt::Result {
    let dir = dir.trim_matches('/');
    if dir.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n# Names may begin with the root's own path.\n[[rule]]"
    )?;
    writeln!(out, "match = {}", string(&format!("^{}/", escape(dir))))?;
    writeln!(out, "rewrite = \"\"")
}

fn at_port(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:69"),
        IpAddr::V6(ip) => format!("[{ip}]:69"),
    }
}

/// A basic string of TOML.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// A text as a regular expression for itself.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if "\\.+*?()|[]{}^$".contains(char) {
            out.push('\\');
        }
        out.push(char);
    }
    out
}

/// A comment must not end early.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}
