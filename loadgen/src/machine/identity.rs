//! Who a machine is: hardware address, UUID and serial number, made from its number.
//! They never change between runs, so that a root can be prepared for them.

use std::fmt::Write;
use std::net::IpAddr;

/// What `{mac}` and the like stand for in file names.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub number: u32,
    pub address: IpAddr,
}

impl Identity {
    /// Puts the machine's own values into a file name. `{ip-hex:3}` is the first three digits,
    /// as in PXELINUX's list of names.
    #[must_use]
    pub fn fill_in(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let value = after.split_once('}').and_then(|(word, behind)| {
                let value = self.value(word)?;
                Some((value, behind))
            });
            match value {
                Some((value, behind)) => {
                    out.push_str(&value);
                    rest = behind;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn value(&self, word: &str) -> Option<String> {
        let (word, digits) = match word.split_once(':') {
            Some((word, digits)) => (word, Some(digits.parse::<usize>().ok()?)),
            None => (word, None),
        };
        let mut value = match word {
            "mac" => self.mac(),
            "MAC" => self.mac().to_ascii_uppercase(),
            "uuid" => self.uuid(),
            "ip" => self.address.to_string(),
            "ip-hex" => self.address_in_hex(),
            "serial" => format!("{:08x}", self.number),
            _ => return None,
        };
        if let Some(digits) = digits {
            value.truncate(digits);
        }
        Some(value)
    }

    /// A locally administered address, written with dashes as boot loaders do.
    fn mac(&self) -> String {
        let [a, b, c, d] = self.number.to_be_bytes();
        format!("52-54-{a:02x}-{b:02x}-{c:02x}-{d:02x}")
    }

    fn uuid(&self) -> String {
        format!("00000000-0000-4000-8000-5254{:08x}", self.number)
    }

    fn address_in_hex(&self) -> String {
        let bytes = match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in() {
        let machine = Identity {
            number: 0x1_02ab,
            address: [192, 0, 2, 91].into(),
        };
        let filled = |text| machine.fill_in(text);
        assert_eq!(
            filled("pxelinux.cfg/01-{mac}"),
            "pxelinux.cfg/01-52-54-00-01-02-ab"
        );
        assert_eq!(filled("{MAC}"), "52-54-00-01-02-AB");
        assert_eq!(filled("{ip-hex}/{ip-hex:3}"), "C000025B/C00");
        assert_eq!(
            filled("{serial}/start4.elf of {ip}"),
            "000102ab/start4.elf of 192.0.2.91"
        );
        assert_eq!(filled("a{b{c}}"), "a{b{c}}");
        assert_eq!(filled("{uuid}").len(), 36);
    }
}
