//! The server's admin port from the outside: the stream of looks, and one machine's files.
//! It never waits longer than a few seconds for an answer.

use core::fmt;
use core::net::SocketAddr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use serde::de::DeserializeOwned;

use crate::limits::LOOK_MAX;
use crate::observe::farm::view::{Detail, Look};

const PATIENCE: Duration = Duration::from_secs(5);

/// Looks that wait to be drawn.
const QUEUE: usize = 8;

/// Where to ask, and with what right.
#[derive(Debug, Clone)]
pub struct Server {
    addr: SocketAddr,
    token: Option<String>,
}

/// News for the screen.
#[derive(Debug)]
pub enum Update {
    Look(Box<Look>),
    /// No connection; another one is being tried.
    Lost(String),
}

#[derive(Debug)]
pub enum TopError {
    Token(PathBuf, io::Error),
    Connect(SocketAddr, io::Error),
    /// The status line.
    Answer(SocketAddr, String),
    Nonsense(SocketAddr),
    Terminal(io::Error),
}

impl fmt::Display for TopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(path, error) => {
                write!(f, "cannot read the token in {}: {error}", path.display())
            }
            Self::Connect(addr, error) => write!(
                f,
                "cannot reach the admin port {addr}: {error}; does the server run with --admin {addr}?"
            ),
            Self::Answer(addr, status) if status.contains(" 401") => write!(
                f,
                "{addr} wants its token: name the file by --admin-token-file"
            ),
            Self::Answer(addr, status) => write!(f, "{addr} answers \"{status}\""),
            Self::Nonsense(addr) => {
                write!(f, "{addr} does not speak like a ringboot of this version")
            }
            Self::Terminal(error) => write!(f, "the terminal: {error}"),
        }
    }
}

impl core::error::Error for TopError {}

impl Server {
    /// # Errors
    /// When the token's file cannot be read.
    pub fn new(addr: SocketAddr, token: Option<&Path>) -> Result<Self, TopError> {
        let read = |path: &Path| {
            let text = fs::read_to_string(path);
            text.map_err(|error| TopError::Token(path.to_owned(), error))
        };
        let token = token.map(read).transpose()?;
        let token = token.map(|token| token.trim().to_owned());
        Ok(Self { addr, token })
    }

    /// The farm as it is now, and as many looks more as are asked for: transfers under way are shown
    /// only to those who watch, so the first look may lack them.
    pub fn looks(&self, count: usize) -> Result<Vec<Look>, TopError> {
        let mut body = self.ask("/events")?;
        (0..count).map(|_| self.next(&mut body)).collect()
    }

    /// Everything about one machine.
    pub fn detail(&self, id: u32) -> Option<Detail> {
        let body = self.ask(&format!("/machine?{id}")).ok()?;
        let mut text = String::new();
        body.take(LOOK_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Follows the farm on a thread of its own, for as long as somebody listens.
    pub fn follow(self) -> Result<Receiver<Update>, TopError> {
        let (updates, receiver) = bounded(QUEUE);
        let thread = thread::Builder::new().name("ringboot-top".into());
        let thread = thread.spawn(move || {
            loop {
                let Err(why) = self.read_on(&updates) else {
                    return;
                };
                if updates.send(Update::Lost(why.to_string())).is_err() {
                    return;
                }
                thread::sleep(PATIENCE / 5);
            }
        });
        thread.map_err(TopError::Terminal)?;
        Ok(receiver)
    }

    /// Hands looks on until the connection ends. Succeeds when nobody listens any more.
    fn read_on(&self, updates: &Sender<Update>) -> Result<(), TopError> {
        let mut body = self.ask("/events")?;
        loop {
            let look = self.next(&mut body)?;
            if updates.send(Update::Look(Box::new(look))).is_err() {
                return Ok(());
            }
        }
    }

    /// The next event of a stream.
    fn next<T: DeserializeOwned>(&self, body: &mut impl BufRead) -> Result<T, TopError> {
        loop {
            let mut line = String::new();
            let read = body.by_ref().take(LOOK_MAX).read_line(&mut line);
            match read {
                Ok(0) => {
                    let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(TopError::Connect(self.addr, ended));
                }
                Ok(_) => {}
                Err(error) => return Err(TopError::Connect(self.addr, error)),
            }
            if let Some(data) = line.strip_prefix("data: ") {
                let read = serde_json::from_str(data);
                return read.map_err(|_| TopError::Nonsense(self.addr));
            }
        }
    }

    /// Asks for a path and reads the head of the answer. HTTP/1.0, so that a body has no pieces.
    fn ask(&self, path: &str) -> Result<BufReader<TcpStream>, TopError> {
        let connect = |error| TopError::Connect(self.addr, error);
        let mut stream = TcpStream::connect_timeout(&self.addr, PATIENCE).map_err(connect)?;
        // The farm is looked at more often, however dear a look is.
        stream
            .set_read_timeout(Some(PATIENCE * 4))
            .map_err(connect)?;
        let token = self.token.as_ref();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\n{}\r\n",
            self.addr,
            token.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).map_err(connect)?;
        let mut body = BufReader::new(stream);
        let mut status = String::new();
        for nth in 0.. {
            let mut line = String::new();
            let read = body.by_ref().take(8192).read_line(&mut line);
            if nth == 0 {
                status = line.trim_end().to_owned();
            }
            if read.map_err(connect)? == 0 || line == "\r\n" {
                break;
            }
        }
        if status.split(' ').nth(1) == Some("200") {
            Ok(body)
        } else {
            Err(TopError::Answer(self.addr, status))
        }
    }
}
