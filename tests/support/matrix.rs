//! The ways to run the server that must all behave alike: io_uring and epoll, data ports and
//! single-port mode.

/// The `--io` option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    Uring,
    Epoll,
}

impl Io {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        }
    }
}

/// One cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    pub io: Io,
    pub single_port: bool,
}

impl Setup {
    pub const URING: Self = Self::new(Io::Uring, false);
    pub const EPOLL: Self = Self::new(Io::Epoll, false);
    pub const URING_SINGLE: Self = Self::new(Io::Uring, true);
    pub const EPOLL_SINGLE: Self = Self::new(Io::Epoll, true);

    const fn new(io: Io, single_port: bool) -> Self {
        Self { io, single_port }
    }

    /// Runs `body`, unless this machine has no io_uring and the caller says that this is known.
    pub fn run(self, body: impl FnOnce(Self)) {
        if self.io == Io::Uring && super::server::flag("RINGBOOT_SKIP_URING") {
            eprintln!("skipped: RINGBOOT_SKIP_URING is set");
            return;
        }
        body(self);
    }
}

/// Turns each function into a test for every cell of the matrix.
macro_rules! matrix {
    ($($(#[$meta:meta])* fn $name:ident($setup:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "short tests need little")]
            use super::*;
            fn body($setup: crate::support::Setup) $body
            #[test]
            fn uring() {
                crate::support::Setup::URING.run(body);
            }
            #[test]
            fn epoll() {
                crate::support::Setup::EPOLL.run(body);
            }
            #[test]
            fn uring_single_port() {
                crate::support::Setup::URING_SINGLE.run(body);
            }
            #[test]
            fn epoll_single_port() {
                crate::support::Setup::EPOLL_SINGLE.run(body);
            }
        }
    )+};
}

/// Turns each function into a test for either backend.
macro_rules! backends {
    ($($(#[$meta:meta])* fn $name:ident($setup:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "short tests need little")]
            use super::*;
            fn body($setup: crate::support::Setup) $body
            #[test]
            fn uring() {
                crate::support::Setup::URING.run(body);
            }
            #[test]
            fn epoll() {
                crate::support::Setup::EPOLL.run(body);
            }
        }
    )+};
}
