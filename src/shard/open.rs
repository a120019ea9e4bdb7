//! Picks the backend: io_uring where it works, epoll elsewhere.
//! It never guesses: a ring that is chosen has carried a datagram.

use super::backend::Backend;
use super::epoll::EpollBackend;
use super::sockets::Sockets;
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
