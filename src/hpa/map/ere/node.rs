//! The parts of an expression.
//! They never hold places in a name.

/// A node by its place in the expression's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(pub(super) usize);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    Byte(Class),
    Look(Look),
    /// A parenthesis and its number; those beyond `\9` catch nothing.
    Group(usize, NodeId),
    Cat(Vec<NodeId>),
    Alt(Vec<NodeId>),
    Repeat {
        inner: NodeId,
        min: u32,
        max: Option<u32>,
    },
}

/// A node and what is known of it before any name is.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) node: Node,
    /// Nodes from here to the innermost.
    pub(super) depth: usize,
    /// Whether there is a group in it.
    pub(super) catches: bool,
}

impl Part {
    /// `parts` has the nodes that this one is made of.
    pub(super) fn new(node: Node, parts: &[Self]) -> Self {
        let inner = match &node {
            Node::Empty | Node::Byte(_) | Node::Look(_) => &[][..],
            Node::Group(_, inner) | Node::Repeat { inner, .. } => core::slice::from_ref(inner),
            Node::Cat(inner) | Node::Alt(inner) => inner,
        };
        let inner = || inner.iter().map(|id| &parts[id.0]);
        let depth = 1 + inner().map(|part| part.depth).max().unwrap_or(0);
        let catches = matches!(node, Node::Group(..)) || inner().any(|part| part.catches);
        Self {
            node,
            depth,
            catches,
        }
    }
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Class([u64; 4]);

impl Class {
    pub(super) fn of(predicate: impl Fn(u8) -> bool) -> Self {
        let mut class = Self::default();
        for byte in 0..=u8::MAX {
            if predicate(byte) {
                class.insert(byte);
            }
        }
        class
    }

    pub(super) const fn insert(&mut self, byte: u8) {
        self.0[(byte / 64) as usize] |= 1 << (byte % 64);
    }

    pub(super) fn add(&mut self, other: Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    pub(super) fn inverted(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    pub(super) const fn contains(&self, byte: u8) -> bool {
        self.0[(byte / 64) as usize] & (1 << (byte % 64)) != 0
    }
}

/// What must be true of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// `^` and `` \` ``
    Start,
    /// `$` and `\'`
    End,
    /// `\b`
    WordEdge,
    /// `\B`
    NoWordEdge,
    /// `\<`
    WordStart,
    /// `\>`
    WordEnd,
}

impl Look {
    pub(super) fn holds(self, name: &[u8], at: usize) -> bool {
        let before = at > 0 && is_word(name[at - 1]);
        let after = at < name.len() && is_word(name[at]);
        match self {
            Self::Start => at == 0,
            Self::End => at == name.len(),
            Self::WordEdge => before != after,
            Self::NoWordEdge => before == after,
            Self::WordStart => !before && after,
            Self::WordEnd => before && !after,
        }
    }
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
