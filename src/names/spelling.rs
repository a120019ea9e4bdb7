//! A client's addresses as boot loaders and directories spell them.
//! It never decides which spelling is meant.

use core::fmt::Write;
use core::net::IpAddr;

use super::Mac;

/// Upper-case hex digits: `C0000207` as PXELINUX and tftp-hpa's `\x` have it; 32 digits for IPv6.
#[must_use]
pub fn pxelinux_hex(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => hex_upper(&ip.octets()),
        IpAddr::V6(ip) => hex_upper(&ip.octets()),
    }
}

#[must_use]
pub fn hex_upper(bytes: &[u8]) -> String {
    hex_lower(bytes).to_ascii_uppercase()
}

#[must_use]
pub fn hex_lower(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `52-54-00-12-34-56`: dnsmasq's directories, and GRUB's files.
pub(super) fn dashed(mac: Mac) -> String {
    mac.to_string().replace(':', "-")
}

/// `01-52-54-00-12-34-56`: PXELINUX puts the hardware type before it.
pub(super) fn pxelinux_mac(mac: Mac) -> String {
    format!("01-{}", dashed(mac))
}
