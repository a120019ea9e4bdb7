//! A source file as the compiler's tokens: no comments, no strings, no test modules.
//! It never knows a rule.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of the project.
pub struct Source {
    /// As seen from the project's root.
    pub path: String,
    pub text: String,
    tokens: Vec<Token>,
}

/// A word or a sign, and the line where it stands.
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Source {
    /// The `.rs` files below `folder`, in a fixed order.
    pub fn all_below(root: &Path, folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        collect(&root.join(folder), &mut paths);
        paths.sort();
        let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        paths
            .iter()
            .map(|path| Self::new(&relative(path), std::fs::read_to_string(path).unwrap()))
            .collect()
    }

    pub fn new(path: &str, text: String) -> Self {
        let stream = TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self {
            path: path.to_owned(),
            text,
            tokens,
        }
    }

    /// What the compiler sees without `cfg(test)`.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Files that are test modules as a whole: `src/shard/tests/`, `src/transfer/send/tests.rs`.
    pub fn is_test(&self) -> bool {
        !self.path.starts_with("src/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// The path of the file's module, without `crate`: `["wire", "options"]`.
    pub fn module(&self) -> Vec<&str> {
        let stem = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let mut parts: Vec<&str> = stem.trim_end_matches(".rs").split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// The names that follow `crate::` or a chain of `super::` that ends in the crate, with lines.
    pub fn imports(&self) -> Vec<(&str, usize)> {
        let depth = self.module().len();
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let (levels, after) = self.climb(at, depth);
            if levels == Some(depth) {
                found.extend(self.names_at(after));
            }
            at = after.max(at + 1);
        }
        found
    }

    /// Reads `crate::` or `super::super::` at a place: how far up it leads, and where it ends.
    fn climb(&self, start: usize, depth: usize) -> (Option<usize>, usize) {
        if self.reads(start, &["crate", ":", ":"]) {
            return (Some(depth), start + 3);
        }
        let mut at = start;
        while self.reads(at, &["super", ":", ":"]) {
            at += 3;
        }
        ((at > start).then_some((at - start) / 3), at)
    }

    /// The name at a place, or in braces the first name of each path.
    fn names_at(&self, start: usize) -> Vec<(&str, usize)> {
        let word = |at: usize| (self.tokens[at].text.as_str(), self.tokens[at].line);
        if !self.reads(start, &["{"]) {
            return vec![word(start)];
        }
        let mut names = Vec::new();
        let mut open = 0;
        for at in start..self.tokens.len() {
            match self.tokens[at].text.as_str() {
                "{" => open += 1,
                "}" => open -= 1,
                _ => {}
            }
            let begins = self.reads(at, &["{"]) || self.reads(at, &[","]);
            if open == 0 {
                break;
            }
            if open == 1 && begins && !self.reads(at + 1, &["}"]) {
                names.push(word(at + 1));
            }
        }
        names
    }

    fn reads(&self, at: usize, words: &[&str]) -> bool {
        let here = self.tokens.get(at..at + words.len());
        here.is_some_and(|tokens| {
            tokens
                .iter()
                .zip(words)
                .all(|(token, word)| token.text == *word)
        })
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Lays a tree of tokens flat, leaving out items that are compiled for tests only.
fn flatten(stream: TokenStream, out: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let is_attribute = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_attribute && trees.peek().is_some_and(is_cfg_test) {
            let _item = trees.by_ref().find(ends_item);
            continue;
        }
        let line = tree.span().start().line;
        let mut push = |text: String| out.push(Token { text, line });
        match tree {
            TokenTree::Ident(ident) => push(ident.to_string()),
            TokenTree::Punct(punct) => push(punct.to_string()),
            // What a text says is no code.
            TokenTree::Literal(_) => push("\"\"".to_owned()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis | Delimiter::None => ("(", ")"),
                };
                push(open.to_owned());
                flatten(group.stream(), out);
                let line = group.span_close().start().line;
                let text = close.to_owned();
                out.push(Token { text, line });
            }
        }
    }
}

fn is_cfg_test(tree: &TokenTree) -> bool {
    tree.to_string().replace(' ', "") == "[cfg(test)]"
}

/// A body in braces or a semicolon is the end of an item.
fn ends_item(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}
