//! The names in braces that a file name may have. It never fills them in: that is the machine's.

/// `ip-hex` may be shortened: `{ip-hex:7}`.
pub const PLACEHOLDERS: [&str; 6] = ["mac", "MAC", "uuid", "ip", "ip-hex", "serial"];

/// The first placeholder in a template that nobody can fill in.
#[must_use]
pub fn unknown_placeholder(template: &str) -> Option<&str> {
    template.split('{').skip(1).find_map(|piece| {
        let (name, _) = piece.split_once('}')?;
        let known = PLACEHOLDERS.contains(&name)
            || name
                .strip_prefix("ip-hex:")
                .and_then(|digits| digits.parse::<usize>().ok())
                .is_some_and(|digits| (1..=8).contains(&digits));
        (!known).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Identity;

    #[test]
    fn a_template_that_cannot_be_filled_is_recognised() {
        assert_eq!(unknown_placeholder("{serial}/start4.elf"), None);
        assert_eq!(unknown_placeholder("{ip-hex:7}"), None);
        assert_eq!(unknown_placeholder("{ip-hex:9}"), Some("ip-hex:9"));
        assert_eq!(unknown_placeholder("{mac}{host}"), Some("host"));
    }

    #[test]
    fn the_machine_fills_in_every_placeholder() {
        let machine = Identity {
            number: 500,
            address: [192, 168, 10, 100].into(),
        };
        for name in PLACEHOLDERS {
            let filled = machine.fill_in(&format!("{{{name}}}"));
            assert!(!filled.contains('{'), "{name}");
        }
        let hex: Vec<String> = (1..=8)
            .rev()
            .map(|digits| machine.fill_in(&format!("{{ip-hex:{digits}}}")))
            .collect();
        let pxelinux = [
            "C0A80A64", "C0A80A6", "C0A80A", "C0A80", "C0A8", "C0A", "C0", "C",
        ];
        assert_eq!(hex, pxelinux);
    }
}
