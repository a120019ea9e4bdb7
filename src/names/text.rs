//! Texts of the configuration with `{{…}}` in them: new names, messages, the content of virtual files.
//! It never inserts what a client chose into content, unless it is harmless there.

use core::fmt;
use core::net::IpAddr;

use regex::bytes::Captures;

use super::{Asked, Needs, Pattern, spelling};

/// A text cut at its insertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    parts: Vec<Part>,
}

/// What a text becomes, and so which insertions it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A name, which is confined whatever is in it.
    Name,
    /// Content that a boot loader will execute. What a client chose itself (its name, groups of
    /// it) is inserted only if it could be a file's name and nothing else.
    Content,
}

/// What insertions take their values from.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub asked: &'a Asked<'a>,
    /// The name as far as it was rewritten.
    pub name: &'a [u8],
    pub captures: Option<&'a Captures<'a>>,
}

/// Why a text could not be completed for this client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfilled {
    /// The value of this insertion is not known.
    Unknown(Box<str>),
    /// What the client sent does not belong into content.
    Unsafe(Box<str>),
    TooLong,
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(what) => write!(f, "{{{{{what}}}}} is not known"),
            Self::Unsafe(what) => write!(f, "{{{{{what}}}}} has bytes that are not inserted"),
            Self::TooLong => f.write_str("the result is too long"),
        }
    }
}

/// A fault in a text, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError(String);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TextError {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Insert {
        /// As written, for messages.
        what: Box<str>,
        value: Value,
        case: Option<Case>,
        otherwise: Option<Box<str>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// Of the rule's expression, by number or name.
    Group(Box<str>),
    Name,
    Asked,
    Ip,
    IpHex,
    IpDash,
    Mac,
    MacDash,
    MacPlain,
    MacPxelinux,
    Hostname,
    Local,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
}

/// The words between the braces; everything else is a group of the expression.
const VALUES: [(&str, Value); 11] = [
    ("name", Value::Name),
    ("asked", Value::Asked),
    ("ip", Value::Ip),
    ("ip-hex", Value::IpHex),
    ("ip-dash", Value::IpDash),
    ("mac", Value::Mac),
    ("mac-dash", Value::MacDash),
    ("mac-plain", Value::MacPlain),
    ("mac-pxelinux", Value::MacPxelinux),
    ("hostname", Value::Hostname),
    ("server", Value::Local),
];

impl Text {
    /// Reads a text. `pattern` is the expression whose groups it may insert.
    ///
    /// # Errors
    /// Braces that do not close, and insertions that do not exist.
    pub fn parse(text: &str, pattern: Option<&Pattern>) -> Result<Self, TextError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once("{{") {
            let (inside, behind) = behind
                .split_once("}}")
                .ok_or_else(|| TextError(format!("`{{{{` without `}}}}` in \"{text}\"")))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.into()));
            }
            parts.push(insertion(inside, pattern)?);
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.into()));
        }
        Ok(Self { parts })
    }

    /// A text that is the same for everybody.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let parts = vec![Part::Literal(text.into())];
        Self { parts }
    }

    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for part in &self.parts {
            if let Part::Insert { value, .. } = part {
                needs.mac |= matches!(
                    value,
                    Value::Mac | Value::MacDash | Value::MacPlain | Value::MacPxelinux
                );
                needs.hostname |= *value == Value::Hostname;
            }
        }
        needs
    }

    pub(super) fn fill(
        &self,
        scope: Scope<'_>,
        purpose: Use,
        max: usize,
    ) -> Result<Vec<u8>, Unfilled> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Insert {
                    what,
                    value,
                    case,
                    otherwise,
                } => match scope.value(value) {
                    Some(bytes) => {
                        if purpose == Use::Content && value.is_clients() && !is_harmless(&bytes) {
                            return Err(Unfilled::Unsafe(what.clone()));
                        }
                        let start = out.len();
                        out.extend_from_slice(&bytes);
                        match case {
                            Some(Case::Upper) => out[start..].make_ascii_uppercase(),
                            Some(Case::Lower) => out[start..].make_ascii_lowercase(),
                            None => {}
                        }
                    }
                    None => match otherwise {
                        Some(text) => out.extend_from_slice(text.as_bytes()),
                        None => return Err(Unfilled::Unknown(what.clone())),
                    },
                },
            }
            if out.len() > max {
                return Err(Unfilled::TooLong);
            }
        }
        Ok(out)
    }
}

impl Value {
    /// Whether the client chose it, byte by byte.
    const fn is_clients(&self) -> bool {
        matches!(self, Self::Group(_) | Self::Name | Self::Asked)
    }
}

impl Scope<'_> {
    fn value(&self, value: &Value) -> Option<Vec<u8>> {
        let ip = self.asked.client;
        let mac = self.asked.mac;
        let text = match value {
            Value::Group(group) => return self.group(group),
            Value::Name => return Some(self.name.to_vec()),
            Value::Asked => return Some(self.asked.name.to_vec()),
            Value::Ip => ip.to_string(),
            Value::IpHex => spelling::pxelinux_hex(ip),
            Value::IpDash => dashed_ip(ip),
            Value::Mac => mac?.to_string(),
            Value::MacDash => spelling::dashed(mac?),
            Value::MacPlain => spelling::hex_lower(&mac?.0),
            Value::MacPxelinux => spelling::pxelinux_mac(mac?),
            Value::Hostname => self.asked.hostname?.to_owned(),
            Value::Local => self.asked.local?.to_string(),
        };
        Some(text.into_bytes())
    }

    fn group(&self, group: &str) -> Option<Vec<u8>> {
        let captures = self.captures?;
        let found = match group.parse() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(group),
        };
        // A group that took no part in the match is empty, as everywhere.
        Some(found.map_or_else(Vec::new, |found| found.as_bytes().to_vec()))
    }
}

fn dashed_ip(ip: IpAddr) -> String {
    ip.to_string().replace(['.', ':'], "-")
}

/// What can stand in a boot script without ending a word, a line or a string.
fn is_harmless(bytes: &[u8]) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/+@:,".contains(byte);
    bytes.iter().all(harmless)
}

/// Reads what stands between the braces: `value`, then `|upper`, `|lower`, `|or=TEXT`.
fn insertion(inside: &str, pattern: Option<&Pattern>) -> Result<Part, TextError> {
    let mut words = inside.split('|').map(str::trim);
    let what = words.next().unwrap_or_default();
    let known = VALUES.into_iter().find(|(name, _)| *name == what);
    let value = match known {
        Some((_, value)) => value,
        None if pattern.is_some_and(|pattern| pattern.has_group(what)) => Value::Group(what.into()),
        None => return Err(unknown(what, pattern)),
    };
    let (mut case, mut otherwise) = (None, None);
    for word in words {
        match word.split_once('=') {
            Some(("or", text)) => otherwise = Some(text.into()),
            None if word == "upper" => case = Some(Case::Upper),
            None if word == "lower" => case = Some(Case::Lower),
            _ => {
                return Err(TextError(format!(
                    "`|{word}` in {{{{{inside}}}}}: there are |upper, |lower and |or=TEXT"
                )));
            }
        }
    }
    Ok(Part::Insert {
        what: what.into(),
        value,
        case,
        otherwise,
    })
}

fn unknown(what: &str, pattern: Option<&Pattern>) -> TextError {
    let is_group = what.parse::<usize>().is_ok();
    let names: Vec<&str> = VALUES.iter().map(|(name, _)| *name).collect();
    TextError(match (is_group, pattern) {
        (true, None) => format!("{{{{{what}}}}} inserts a group of `match`, which is not there"),
        (true, Some(pattern)) => {
            format!("`match = '{}'` has no group {what}", pattern.as_str())
        }
        (false, _) => format!(
            "{{{{{what}}}}} is nothing that can be inserted; there are {} and the groups of `match`",
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Mac, Operation};
    use crate::wire::options::Options;

    fn asked(name: &[u8]) -> Asked<'_> {
        Asked {
            name,
            operation: Operation::Read,
            client: "192.0.2.7".parse().expect("an address"),
            local: Some("192.0.2.1".parse().expect("an address")),
            mac: Some(Mac([0x52, 0x54, 0, 0x12, 0x34, 0xab])),
            hostname: Some("node7"),
            options: Options::new(&[]),
        }
    }

    fn fill(
        text: &str,
        pattern: Option<&str>,
        asked: &Asked<'_>,
        purpose: Use,
    ) -> Result<String, Unfilled> {
        let pattern: Option<Pattern> = pattern.map(|text| text.parse().expect("an expression"));
        let text = Text::parse(text, pattern.as_ref()).expect("a text");
        let captures = pattern.as_ref().and_then(|p| p.captures(asked.name, false));
        let scope = Scope {
            asked,
            name: asked.name,
            captures: captures.as_ref(),
        };
        text.fill(scope, purpose, 1000)
            .map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn every_value_has_its_spelling() {
        let asked = asked(b"boot/x.cfg");
        for (text, expected) in [
            ("{{ip}}", "192.0.2.7"),
            ("{{ip-hex}}", "C0000207"),
            ("{{ip-hex|lower}}", "c0000207"),
            ("{{ip-dash}}", "192-0-2-7"),
            ("{{mac}}", "52:54:00:12:34:ab"),
            ("{{mac-dash|upper}}", "52-54-00-12-34-AB"),
            ("{{mac-plain}}", "5254001234ab"),
            (
                "pxelinux.cfg/{{ mac-pxelinux }}",
                "pxelinux.cfg/01-52-54-00-12-34-ab",
            ),
            ("{{hostname}}.{{server}}", "node7.192.0.2.1"),
            ("{{name}} {{asked}}", "boot/x.cfg boot/x.cfg"),
            ("${net0/mac} {x} }}", "${net0/mac} {x} }}"),
        ] {
            assert_eq!(
                fill(text, None, &asked, Use::Name).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        let groups = fill(
            "{{2}}-{{stem|upper}}-{{3}}",
            Some("^(?<stem>[a-z]+)/(x)(y)?"),
            &asked,
            Use::Name,
        );
        assert_eq!(groups.as_deref(), Ok("x-BOOT-"));
    }

    #[test]
    fn an_ipv6_client_has_spellings_too() {
        let mut asked = asked(b"x");
        asked.client = "2001:db8::7".parse().expect("an address");
        let hex = "20010DB8000000000000000000000007";
        assert_eq!(
            fill("{{ip-hex}}", None, &asked, Use::Name).as_deref(),
            Ok(hex)
        );
        assert_eq!(
            fill("{{ip-dash}}", None, &asked, Use::Name).as_deref(),
            Ok("2001-db8--7")
        );
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let mut asked = asked(b"x");
        asked.mac = None;
        let unknown = fill("a{{mac}}", None, &asked, Use::Name);
        assert_eq!(unknown, Err(Unfilled::Unknown("mac".into())));
        assert_eq!(
            fill("{{mac|or=none}}", None, &asked, Use::Name).as_deref(),
            Ok("none")
        );
    }

    #[test]
    fn content_takes_nothing_dangerous_from_a_client() {
        for name in [
            &b"a\nkernel http://evil"[..],
            b"a b",
            b"a;b",
            b"a\"",
            b"a$(x)",
            b"\xff",
            b"a\\",
        ] {
            let asked = asked(name);
            let filled = fill("set file {{name}}", None, &asked, Use::Content);
            assert_eq!(
                filled,
                Err(Unfilled::Unsafe("name".into())),
                "{}",
                name.escape_ascii()
            );
        }
        let asked = asked(b"boot/x-1.cfg");
        assert_eq!(
            fill("{{name}}", None, &asked, Use::Content).as_deref(),
            Ok("boot/x-1.cfg")
        );
    }

    #[test]
    fn faults_are_named() {
        let refused = |text: &str| Text::parse(text, None).unwrap_err().to_string();
        assert!(refused("a{{ip").contains("without `}}`"));
        assert!(refused("{{ipx}}").contains("there are name, asked, ip"));
        assert!(refused("{{1}}").contains("a group of `match`"));
        assert!(refused("{{ip|up}}").contains("there are |upper"));
    }
}
