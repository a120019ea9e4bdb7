//! Who may come in: those who know the token, and browsers that did not come by a foreign name.
//! It never tells how far a wrong token was right.

use core::fmt;
use core::hint::black_box;
use core::net::IpAddr;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};

use crate::limits::{TOKEN_MAX, TOKEN_MIN};

/// What a client must know.
pub struct Token(Box<[u8]>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why a file holds no token.
#[derive(Debug)]
pub enum TokenError {
    Unreadable(io::Error),
    /// So many bytes.
    Length(usize),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Length(bytes) => write!(
                f,
                "a token has {TOKEN_MIN} to {TOKEN_MAX} characters, this one {bytes}; make one with \
                 `openssl rand -base64 24`"
            ),
        }
    }
}

impl Token {
    /// The file's content without the space around it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds too little to be a secret.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let bytes = fs::read(path).map_err(TokenError::Unreadable)?;
        let token = bytes.trim_ascii();
        if (TOKEN_MIN..=TOKEN_MAX).contains(&token.len()) {
            Ok(Self(token.into()))
        } else {
            Err(TokenError::Length(token.len()))
        }
    }

    /// Takes as long for a guess that is nearly right as for one that is all wrong.
    fn is(&self, guess: &[u8]) -> bool {
        let pairs = self.0.iter().zip(guess);
        let difference = pairs.fold(0, |sum, (one, other)| black_box(sum | (one ^ other)));
        difference == 0 && self.0.len() == guess.len()
    }
}

/// Decides over each request.
#[derive(Debug)]
pub struct Door {
    token: Option<Token>,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It lacks the token.
    Unknown,
    /// Its browser was led here by a name that is not ours (DNS rebinding).
    Misled,
}

impl Door {
    pub const fn new(token: Option<Token>) -> Self {
        Self { token }
    }

    pub fn judge(&self, headers: &HeaderMap) -> Result<(), Stranger> {
        match &self.token {
            // A page of a foreign name cannot know the token, so the name does not matter.
            Some(token) if knows(token, headers) => Ok(()),
            Some(_) => Err(Stranger::Unknown),
            None if headers.get_all(HOST).iter().all(is_ours) => Ok(()),
            None => Err(Stranger::Misled),
        }
    }
}

/// `Bearer TOKEN`, or the password of a browser's dialog.
fn knows(token: &Token, headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) else {
        return false;
    };
    let Some(space) = value.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let (scheme, rest) = value.split_at(space);
    let secret = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return token.is(secret);
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    let Ok(pair) = STANDARD.decode(secret) else {
        return false;
    };
    let colon = pair.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|colon| pair.get(colon + 1..));
    password.is_some_and(|password| token.is(password))
}

/// An address or `localhost`: nobody else can make such a name lead here.
fn is_ours(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_str(value).expect("a value");
        HeaderMap::from_iter([(name.parse().expect("a name"), value)])
    }

    #[test]
    fn foreign_names_lead_nowhere() {
        let door = Door::new(None);
        for good in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:9469",
            "[::1]:9469",
            "10.0.0.1",
        ] {
            assert_eq!(door.judge(&headers("host", good)), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:9469",
            "localhost.evil.example",
            "",
            "[",
            "::1",
        ] {
            let verdict = door.judge(&headers("host", bad));
            assert_eq!(verdict, Err(Stranger::Misled), "{bad}");
        }
        assert_eq!(door.judge(&HeaderMap::new()), Ok(()), "HTTP/1.0");
    }

    #[test]
    fn the_token_opens_in_both_ways_and_nothing_else_does() {
        let door = Door::new(Some(Token(b"correct horse".as_slice().into())));
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for good in [
            "Bearer correct horse",
            "bearer  correct horse",
            &basic("me:correct horse"),
            &basic(":correct horse"),
        ] {
            assert_eq!(
                door.judge(&headers("authorization", good)),
                Ok(()),
                "{good}"
            );
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer correct",
            "Bearer correct horses",
            "Bearer Correct horse",
            "correct horse",
            "Basic !",
            &basic("correct horse"),
            &basic("me:no"),
        ] {
            let verdict = door.judge(&headers("authorization", bad));
            assert_eq!(verdict, Err(Stranger::Unknown), "{bad}");
        }
        assert_eq!(door.judge(&HeaderMap::new()), Err(Stranger::Unknown));
    }

    #[test]
    fn a_file_without_a_secret_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("token");
        assert!(matches!(Token::read(&path), Err(TokenError::Unreadable(_))));
        fs::write(&path, "  short\n").expect("written");
        assert!(matches!(Token::read(&path), Err(TokenError::Length(5))));
        fs::write(&path, "\n0123456789abcdef\n").expect("written");
        assert!(Token::read(&path).expect("a token").is(b"0123456789abcdef"));
    }
}
