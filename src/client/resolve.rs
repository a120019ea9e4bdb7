//! From a typed server to the addresses to try, in the resolver's order.
//! It never waits longer than it was told to.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::text::printable;
use crate::cli::Target;

/// All addresses of the server, at least one; or why there is none.
///
/// The system's resolver has no deadline of its own, so it works on a thread that is left behind
/// when it is too slow; it ends with the process.
pub fn resolve(server: &Target, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let question = (server.host.clone(), server.port);
    thread::spawn(move || {
        // The asker may have gone; then nobody wants the answer.
        let _ = sender.send(question.to_socket_addrs().map(Iterator::collect::<Vec<_>>));
    });
    let host = printable(server.host.as_bytes());
    match receiver.recv_timeout(limit) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(without_doubles(addresses)),
        Ok(Ok(_)) => Err(format!("host {host} has no address")),
        Ok(Err(error)) => Err(format!("cannot resolve host {host}: {error}")),
        Err(_) => Err(format!(
            "cannot resolve host {host}: no answer from the resolver within {} s",
            limit.as_secs_f64()
        )),
    }
}

fn without_doubles(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let new = !seen.contains(address);
        seen.push(*address);
        new
    });
    addresses
}
