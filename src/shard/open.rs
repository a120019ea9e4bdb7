//! Picks the backend: io_uring where it works, epoll elsewhere.
//! It never guesses: a ring that is chosen has carried a datagram.

use core::net::Ipv4Addr;

use super::backend::Backend;
use super::bind::bind;
use super::epoll::EpollBackend;
use super::sockets::{Listen, Plan, Sockets};
use super::uring;
use super::waker::Waker;

/// The operator's `--io`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// io_uring, or epoll with the reason told.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    Epoll,
}

/// The operator's `--zero-copy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ZeroCopy {
    /// With io_uring, towards networks whose device really transmits without a copy.
    #[default]
    Auto,
    Off,
}

/// A backend and how it came to be chosen.
pub struct Opened {
    pub backend: Box<dyn Backend>,
    /// Why it is not io_uring, where that was wanted.
    pub fallback: Option<String>,
}

/// Opens a shard's backend. To be called on the shard's own thread: a ring belongs to the thread
/// that made it.
///
/// # Errors
/// A line for the operator.
pub fn open(
    choice: IoChoice,
    zero_copy: ZeroCopy,
    sockets: Sockets,
    waker: Waker,
) -> Result<Opened, String> {
    match choice {
        IoChoice::Epoll => epoll(sockets, waker, None),
        IoChoice::Uring => match uring::open(sockets, waker, zero_copy) {
            Ok(backend) => Ok(chosen(backend, None)),
            Err(refused) => Err(refused.why.to_string()),
        },
        IoChoice::Auto => match uring::open(sockets, waker.clone(), zero_copy) {
            Ok(backend) => Ok(chosen(backend, None)),
            Err(refused) => epoll(refused.sockets, waker, Some(refused.why.to_string())),
        },
    }
}

/// Why io_uring cannot be used here, if so: a ring is made on a loopback socket and thrown away.
#[must_use]
pub fn uring_refusal() -> Option<String> {
    let plan = Plan {
        listen: vec![Listen {
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            optional: false,
        }],
        shards: 1,
        single_port: false,
        data_ports: None,
    };
    let sockets = match bind(&plan) {
        Ok(mut all) => all.pop()?,
        Err(error) => return Some(error.to_string()),
    };
    let waker = match Waker::new() {
        Ok(waker) => waker,
        Err(error) => return Some(error.to_string()),
    };
    uring::open(sockets, waker, ZeroCopy::Auto)
        .err()
        .map(|refused| refused.why.to_string())
}

fn epoll(sockets: Sockets, waker: Waker, fallback: Option<String>) -> Result<Opened, String> {
    match EpollBackend::open(sockets, waker) {
        Ok(backend) => Ok(chosen(backend, fallback)),
        Err(error) => Err(format!("cannot set up epoll: {error}")),
    }
}

fn chosen(backend: impl Backend + 'static, fallback: Option<String>) -> Opened {
    Opened {
        backend: Box::new(backend),
        fallback,
    }
}
