//! The text of an expression as nodes, with the GNU additions that glibc's `regcomp` reads.
//! It never accepts what glibc refuses; back-references (`\1` in the expression itself), which
//! POSIX does not know here, it refuses where glibc takes them.

use core::fmt;

use super::node::{Class, Look, Node, NodeId, Part, is_word};
use crate::limits::{MAP_ERE_DEPTH, MAP_ERE_REPEAT};

/// Why a text is no expression, mostly in the words of `regerror`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EreError(&'static str);

impl fmt::Display for EreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for EreError {}

const BAD_REPEAT: EreError = EreError("Invalid preceding regular expression");
const BAD_BRACES: EreError = EreError("Invalid content of \\{\\}");
const OPEN_BRACE: EreError = EreError("Unmatched \\{");
const OPEN_BRACKET: EreError = EreError("Unmatched [, [^, [:, [., or [=");
const OPEN_PAREN: EreError = EreError("Unmatched ( or \\(");
const BAD_RANGE: EreError = EreError("Invalid range end");
const BAD_CLASS: EreError = EreError("Invalid character class name");
const BAD_COLLATION: EreError = EreError("Invalid collation character");
const TRAILING_BACKSLASH: EreError = EreError("Trailing backslash");
const BACK_REFERENCE: EreError =
    EreError("Back-references (\\1 to \\9 inside the expression) are not supported");
const TOO_BIG: EreError = EreError("Regular expression too big");
const TOO_DEEP: EreError = EreError("Too many nested parentheses or repetitions");

pub(super) fn parse(source: &[u8], fold: bool) -> Result<(Vec<Part>, NodeId), EreError> {
    let mut parser = Parser {
        source,
        at: 0,
        fold,
        groups: 0,
        depth: 0,
        parts: Vec::new(),
    };
    let root = parser.alternation()?;
    Ok((parser.parts, root))
}

struct Parser<'a> {
    source: &'a [u8],
    at: usize,
    /// Everything is compared in upper case, as glibc does it; a range turns with its ends.
    fold: bool,
    groups: usize,
    depth: usize,
    parts: Vec<Part>,
}

impl Parser<'_> {
    fn alternation(&mut self) -> Result<NodeId, EreError> {
        let mut branches = vec![self.branch()?];
        while self.peek() == Some(b'|') {
            self.at += 1;
            branches.push(self.branch()?);
        }
        Ok(match branches[..] {
            [only] => only,
            _ => self.node(Node::Alt(branches))?,
        })
    }

    fn branch(&mut self) -> Result<NodeId, EreError> {
        let mut parts = Vec::new();
        while let Some(byte) = self.peek() {
            if byte == b'|' || (byte == b')' && self.depth > 0) {
                break;
            }
            parts.push(self.part(byte)?);
        }
        Ok(match parts[..] {
            [] => self.node(Node::Empty)?,
            [only] => only,
            _ => self.node(Node::Cat(parts))?,
        })
    }

    /// One thing and the repetitions behind it.
    fn part(&mut self, byte: u8) -> Result<NodeId, EreError> {
        self.at += 1;
        let atom = match byte {
            b'^' => return self.node(Node::Look(Look::Start)),
            b'$' => return self.node(Node::Look(Look::End)),
            b'\\' => match self.escape()? {
                // An anchor cannot be repeated: what follows is an operator without an operand.
                Node::Look(look) => return self.node(Node::Look(look)),
                node => self.node(node)?,
            },
            b'(' => self.group()?,
            b'[' => {
                let class = self.bracket()?;
                self.node(Node::Byte(class))?
            }
            b'.' => self.node(Node::Byte(Class::of(|byte| byte != 0)))?,
            b'*' | b'+' | b'?' | b'{' => return Err(BAD_REPEAT),
            byte => {
                let byte = self.folded(byte);
                self.node(Node::Byte(Class::of(|other| other == byte)))?
            }
        };
        self.repetitions(atom)
    }

    fn group(&mut self) -> Result<NodeId, EreError> {
        self.groups += 1;
        let number = self.groups;
        self.depth += 1;
        if self.depth > MAP_ERE_DEPTH {
            return Err(TOO_DEEP);
        }
        let inner = self.alternation()?;
        self.depth -= 1;
        if self.next() != Some(b')') {
            return Err(OPEN_PAREN);
        }
        self.node(Node::Group(number, inner))
    }

    fn repetitions(&mut self, mut inner: NodeId) -> Result<NodeId, EreError> {
        while let Some((min, max)) = self.repetition()? {
            inner = self.node(Node::Repeat { inner, min, max })?;
        }
        Ok(inner)
    }

    fn repetition(&mut self) -> Result<Option<(u32, Option<u32>)>, EreError> {
        let bounds = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            Some(b'{') => {
                self.at += 1;
                return self.braces().map(Some);
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(bounds))
    }

    /// `2}`, `2,}`, `2,3}`, `,3}`
    fn braces(&mut self) -> Result<(u32, Option<u32>), EreError> {
        let min = self.number()?;
        let max = match self.peek() {
            Some(b'}') if min.is_some() => min,
            Some(b',') => {
                self.at += 1;
                self.number()?
            }
            _ => return Err(self.bad_braces()),
        };
        if self.peek() != Some(b'}') {
            return Err(self.bad_braces());
        }
        self.at += 1;
        let min = min.unwrap_or(0);
        if max.is_some_and(|max| max < min) {
            return Err(BAD_BRACES);
        }
        if max.unwrap_or(min) > MAP_ERE_REPEAT {
            return Err(TOO_BIG);
        }
        Ok((min, max))
    }

    /// glibc reads on to the end of a number, whatever it is made of.
    fn bad_braces(&self) -> EreError {
        let rest = &self.source[self.at..];
        if rest.iter().any(|byte| matches!(byte, b'}' | b',')) {
            BAD_BRACES
        } else {
            OPEN_BRACE
        }
    }

    fn number(&mut self) -> Result<Option<u32>, EreError> {
        let mut number = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            let so_far: u32 = number.unwrap_or(0);
            number = Some((so_far * 10 + u32::from(digit - b'0')).min(MAP_ERE_REPEAT + 1));
        }
        Ok(number)
    }

    fn escape(&mut self) -> Result<Node, EreError> {
        let byte = self.next().ok_or(TRAILING_BACKSLASH)?;
        Ok(match byte {
            b'1'..=b'9' => return Err(BACK_REFERENCE),
            b'w' => Node::Byte(Class::of(is_word)),
            b'W' => Node::Byte(Class::of(is_word).inverted()),
            b's' => Node::Byte(Class::of(is_space)),
            b'S' => Node::Byte(Class::of(is_space).inverted()),
            b'b' => Node::Look(Look::WordEdge),
            b'B' => Node::Look(Look::NoWordEdge),
            b'<' => Node::Look(Look::WordStart),
            b'>' => Node::Look(Look::WordEnd),
            b'`' => Node::Look(Look::Start),
            b'\'' => Node::Look(Look::End),
            byte => {
                let byte = self.folded(byte);
                Node::Byte(Class::of(|other| other == byte))
            }
        })
    }

    /// Behind the `[`.
    fn bracket(&mut self) -> Result<Class, EreError> {
        let inverted = self.peek() == Some(b'^');
        self.at += usize::from(inverted);
        let mut class = Class::default();
        let first = self.at;
        loop {
            let byte = self.peek().ok_or(OPEN_BRACKET)?;
            if byte == b']' && self.at > first {
                self.at += 1;
                break;
            }
            // A hyphen is itself at the beginning and at the end, and an end of a range.
            if byte == b'-' && self.at > first && self.look(1) != Some(b']') {
                return Err(if self.look(1).is_some() {
                    BAD_RANGE
                } else {
                    OPEN_BRACKET
                });
            }
            let start = self.bracket_element()?;
            if self.peek() == Some(b'-') && self.look(1).ok_or(OPEN_BRACKET)? != b']' {
                self.at += 1;
                let end = self.bracket_element()?;
                class.add(range(start, end)?);
            } else {
                class.add(start.class());
            }
        }
        Ok(if inverted { class.inverted() } else { class })
    }

    fn bracket_element(&mut self) -> Result<Element, EreError> {
        let byte = self.next().ok_or(OPEN_BRACKET)?;
        match (byte, self.peek()) {
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => {
                self.at += 1;
                let name = self.bracket_name(kind)?;
                self.named_element(kind, &name)
            }
            _ => Ok(Element::Byte(self.folded(byte))),
        }
    }

    /// Up to `:]`, `.]` or `=]`.
    fn bracket_name(&mut self, kind: u8) -> Result<Vec<u8>, EreError> {
        let rest = &self.source[self.at..];
        let close = rest.windows(2).position(|two| two == [kind, b']']);
        let close = close.ok_or(OPEN_BRACKET)?;
        self.at += close + 2;
        Ok(rest[..close].to_vec())
    }

    fn named_element(&self, kind: u8, name: &[u8]) -> Result<Element, EreError> {
        match (kind, name) {
            (b':', name) => self.class_named(name).map(Element::Class),
            // The C locale has no collating element of several characters.
            (_, &[byte]) => {
                let byte = self.folded(byte);
                if kind == b'.' {
                    return Ok(Element::Byte(byte));
                }
                Ok(Element::Class(Class::of(|other| other == byte)))
            }
            _ => Err(BAD_COLLATION),
        }
    }

    fn class_named(&self, name: &[u8]) -> Result<Class, EreError> {
        Ok(match name {
            b"upper" | b"lower" if self.fold => Class::of(|byte| byte.is_ascii_alphabetic()),
            b"upper" => Class::of(|byte| byte.is_ascii_uppercase()),
            b"lower" => Class::of(|byte| byte.is_ascii_lowercase()),
            b"alpha" => Class::of(|byte| byte.is_ascii_alphabetic()),
            b"digit" => Class::of(|byte| byte.is_ascii_digit()),
            b"xdigit" => Class::of(|byte| byte.is_ascii_hexdigit()),
            b"alnum" => Class::of(|byte| byte.is_ascii_alphanumeric()),
            b"punct" => Class::of(|byte| byte.is_ascii_punctuation()),
            b"graph" => Class::of(|byte| byte.is_ascii_graphic()),
            b"print" => Class::of(|byte| byte.is_ascii_graphic() || byte == b' '),
            b"blank" => Class::of(|byte| matches!(byte, b' ' | b'\t')),
            b"space" => Class::of(is_space),
            b"cntrl" => Class::of(|byte| byte.is_ascii_control()),
            _ => return Err(BAD_CLASS),
        })
    }

    const fn folded(&self, byte: u8) -> u8 {
        if self.fold {
            byte.to_ascii_uppercase()
        } else {
            byte
        }
    }

    /// Matching goes as deep as the nodes are nested.
    fn node(&mut self, node: Node) -> Result<NodeId, EreError> {
        let part = Part::new(node, &self.parts);
        if part.depth > MAP_ERE_DEPTH {
            return Err(TOO_DEEP);
        }
        self.parts.push(part);
        Ok(NodeId(self.parts.len() - 1))
    }

    fn peek(&self) -> Option<u8> {
        self.look(0)
    }

    fn look(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }
}

/// What stands in a bracket.
enum Element {
    Byte(u8),
    Class(Class),
}

impl Element {
    fn class(&self) -> Class {
        match *self {
            Self::Byte(byte) => Class::of(|other| other == byte),
            Self::Class(class) => class,
        }
    }
}

fn range(start: Element, end: Element) -> Result<Class, EreError> {
    match (start, end) {
        (Element::Byte(start), Element::Byte(end)) if start <= end => {
            Ok(Class::of(|byte| (start..=end).contains(&byte)))
        }
        _ => Err(BAD_RANGE),
    }
}

/// As `isspace` in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
