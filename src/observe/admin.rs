//! The admin port: metrics, health and the farm, over HTTP, on a thread of its own.
//! It never changes anything: it answers GET and nothing else.

mod answer;
mod door;
mod events;
mod hub;
mod page;
mod route;

use core::fmt;
use core::net::SocketAddr;
use std::io;
use std::net::TcpListener as Listener;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use door::{Token, TokenError};
pub use hub::{Hub, Sources};
pub use route::Desk;

use crate::limits::{ADMIN_CONNECTIONS, ADMIN_HEAD, ADMIN_PATIENCE, ADMIN_STALL};
use door::Door;

/// Where the admin port is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    addr: SocketAddr,
    /// Holds the token that clients must know; demanded for addresses that others can reach.
    token_file: Option<PathBuf>,
}

impl Plan {
    /// # Errors
    /// When others can reach the address and there is no token.
    pub fn new(addr: SocketAddr, token_file: Option<PathBuf>) -> Result<Self, AdminError> {
        if token_file.is_none() && !addr.ip().is_loopback() {
            return Err(AdminError::NoToken(addr));
        }
        Ok(Self { addr, token_file })
    }
}

/// Why there is no admin port.
#[derive(Debug)]
pub enum AdminError {
    NoToken(SocketAddr),
    Token(PathBuf, TokenError),
    Bind(SocketAddr, io::Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(addr) => write!(
                f,
                "--admin {addr}: others can reach this address, so name a file with a token by \
                 --admin-token-file, or take 127.0.0.1"
            ),
            Self::Token(path, error) => {
                write!(f, "--admin-token-file {}: {error}", path.display())
            }
            Self::Bind(addr, error) => write!(f, "--admin {addr}: cannot listen there: {error}"),
        }
    }
}

impl core::error::Error for AdminError {}

/// A bound admin port.
#[derive(Debug)]
pub struct Admin {
    listener: Listener,
    door: Door,
}

impl Admin {
    /// Reads the token and binds.
    ///
    /// # Errors
    /// When the token cannot be read, or the port is taken.
    pub fn bind(plan: &Plan) -> Result<Self, AdminError> {
        let token = plan
            .token_file
            .as_ref()
            .map(|path| Token::read(path).map_err(|error| AdminError::Token(path.clone(), error)));
        let token = token.transpose()?;
        let listener = listen(plan.addr).map_err(|error| AdminError::Bind(plan.addr, error))?;
        Ok(Self {
            listener,
            door: Door::new(token),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Never in practice.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the process ends.
    ///
    /// # Errors
    /// When the kernel grants no epoll.
    pub fn serve(self, desk: Desk) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener)?;
            let reception = Arc::new(Reception {
                door: self.door,
                desk,
            });
            reception.desk.begin();
            receive(&listener, &reception).await
        })
    }
}

/// What every connection needs.
struct Reception {
    door: Door,
    desk: Desk,
}

async fn receive(listener: &TcpListener, reception: &Arc<Reception>) -> io::Result<()> {
    let seats = Arc::new(Semaphore::new(ADMIN_CONNECTIONS));
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(converse(stream, Arc::clone(reception), seat));
            }
            // No descriptor left, or a client that is gone already: neither is worth an end.
            Err(_) => tokio::time::sleep(core::time::Duration::from_millis(50)).await,
        }
    }
    Ok(())
}

async fn converse(stream: TcpStream, reception: Arc<Reception>, seat: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(ADMIN_STALL.to_duration()));
    let service = service_fn(|request| {
        let reception = Arc::clone(&reception);
        async move { reception.desk.answer(&reception.door, &request) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ADMIN_PATIENCE.to_duration())
        .max_buf_size(ADMIN_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client's mistakes are its own: hyper has answered them.
    let _ = connection.await;
    drop(seat);
}

/// A predecessor that drains must not keep the port from its successor: while both are there, either
/// answers. Only the same user can share a port so.
fn listen(addr: SocketAddr) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(128)?;
    Ok(socket.into())
}
