//! Whose an IP packet is.
//! Never looks behind the UDP ports.

use std::net::Ipv4Addr;

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    ToClient,
    ToServer,
}

/// A client's address and port; port 0 for what is not UDP.
pub type Client = (Ipv4Addr, u16);

/// `None` for what is not IPv4: neighbours that look for routers.
#[must_use]
pub fn client(packet: &[u8], way: Way) -> Option<Client> {
    if packet.first()? >> 4 != 4 {
        return None;
    }
    let header = usize::from(packet.first()? & 15) * 4;
    let (address, port) = match way {
        Way::ToServer => (12, header),
        Way::ToClient => (16, header + 2),
    };
    let address = packet.get(address..)?.first_chunk::<4>()?;
    let port = match packet.get(9)? {
        17 => u16::from_be_bytes(*packet.get(port..)?.first_chunk()?),
        _ => 0,
    };
    Some((Ipv4Addr::from(*address), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_the_same_both_ways() {
        let mut packet = [0_u8; 32];
        packet[0] = 0x45;
        packet[9] = 17;
        packet[12..20].copy_from_slice(&[192, 0, 2, 2, 192, 0, 2, 1]);
        packet[20..24].copy_from_slice(&[7, 208, 0, 69]);
        let expected = Some((Ipv4Addr::new(192, 0, 2, 2), 2_000));
        assert_eq!(client(&packet, Way::ToServer), expected);
        packet[12..20].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
        packet[20..24].copy_from_slice(&[0, 69, 7, 208]);
        assert_eq!(client(&packet, Way::ToClient), expected);
        packet[0] = 0x60;
        assert_eq!(client(&packet, Way::ToClient), None);
        assert_eq!(client(&packet[..3], Way::ToServer), None);
    }
}
