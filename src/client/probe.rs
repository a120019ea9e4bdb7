//! `ringboot probe`: asks for a file that need not exist; any TFTP answer means alive.
//! It never says more than one line, and never leaves a transfer behind on the server.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use super::text::{code_name, printable};
use super::{ClientSocket, Failure, Heard, resolve};
use crate::cli::ProbeArgs;
use crate::clock;
use crate::transfer::Nanos;
use crate::wire::packet::{ErrorPacket, encode_request};
use crate::wire::{ErrorCode, Packet, decode};

/// What Nagios takes for CRITICAL.
const DEAD: u8 = 2;

/// Probes the server and prints the line.
#[must_use]
pub fn probe(args: &ProbeArgs) -> ExitCode {
    let (state, exit) = match look(args) {
        Ok(alive) => (alive, ExitCode::SUCCESS),
        // Behind the first | a monitor expects figures.
        Err(why) => (
            format!("CRITICAL - {}", why.replace('|', "\\x7c")),
            ExitCode::from(DEAD),
        ),
    };
    // Not `println`, which panics when nobody reads: the status says it too.
    let _ = writeln!(io::stdout(), "TFTP {state}");
    exit
}

fn look(args: &ProbeArgs) -> Result<String, String> {
    let end = clock::now() + Nanos::from(args.timeout);
    let addresses = resolve(&args.server, args.timeout)?;
    let mut reasons = Vec::new();
    for (index, &server) in addresses.iter().enumerate() {
        // An address that is silent leaves the others their share of the time.
        let left = u64::try_from(addresses.len() - index).unwrap_or(1);
        let share = Nanos((end - clock::now()).0 / left).to_duration();
        match ask(server, &args.file, share) {
            Ok(alive) => return Ok(alive),
            Err(failure) => reasons.push(describe(server, &failure, args.timeout)),
        }
    }
    Err(reasons.join("; "))
}

fn describe(server: SocketAddr, failure: &Failure, limit: Duration) -> String {
    match failure {
        Failure::NoAnswer { stranger, .. } => {
            let hint = stranger.map_or_else(String::new, |ip| format!(" ({ip} answered instead)"));
            format!(
                "no answer from {server} within {} s{hint}",
                limit.as_secs_f64()
            )
        }
        other => format!("{server}: {other}"),
    }
}

/// Asks at once and again at half of the time: one lost datagram is no outage.
fn ask(server: SocketAddr, file: &OsStr, limit: Duration) -> Result<String, Failure> {
    let socket = ClientSocket::open(server).map_err(Failure::Unreachable)?;
    // No options: the answer is then the same from every server, however old.
    let mut request = Vec::new();
    encode_request(&mut request, false, file.as_bytes(), "octet", []);

    let start = clock::now();
    let mut stranger = None;
    for until in [limit / 2, limit] {
        socket
            .send(&request, server)
            .map_err(Failure::Unreachable)?;
        if let Some(alive) = listen(&socket, server, start, start + until.into(), &mut stranger)? {
            return Ok(alive);
        }
    }
    let waited = limit;
    Err(Failure::NoAnswer { waited, stranger })
}

fn listen(
    socket: &ClientSocket,
    server: SocketAddr,
    start: Nanos,
    until: Nanos,
    stranger: &mut Option<IpAddr>,
) -> Result<Option<String>, Failure> {
    let mut buffer = [0; 2048];
    while clock::now() < until {
        match socket.receive(&mut buffer, until) {
            Ok(Heard::Datagram { from, .. }) if from.ip() != server.ip() => {
                *stranger = Some(from.ip());
            }
            Ok(Heard::Datagram { len, from }) => {
                let rtt = clock::now() - start;
                if let Some(answer) = answer(socket, &buffer[..len], from) {
                    return Ok(Some(alive(server, &answer, rtt)));
                }
            }
            Ok(Heard::Unreachable(error)) | Err(error) => return Err(Failure::Unreachable(error)),
            Ok(Heard::Signal | Heard::Nothing) => {}
        }
    }
    Ok(None)
}

/// What the server answered, if it is TFTP; a transfer that it began is ended.
fn answer(socket: &ClientSocket, bytes: &[u8], from: SocketAddr) -> Option<String> {
    let answer = match decode(bytes).ok()? {
        Packet::Error { code, text } => {
            return Some(match text {
                b"" => format!("ERROR {} ({})", code.0, code_name(code)),
                text => format!("ERROR {} \"{}\"", code.0, printable(text)),
            });
        }
        Packet::Data { block: 1, .. } => "DATA 1",
        Packet::Oack(_) => "OACK",
        _ => return None,
    };
    let bye = ErrorPacket::new(ErrorCode::NOT_DEFINED, "Probe only, thank you");
    // Alive is alive; a goodbye that cannot be sent changes nothing.
    let _ = socket.send(bye.as_bytes(), from);
    Some(answer.to_owned())
}

fn alive(server: SocketAddr, answer: &str, rtt: Nanos) -> String {
    let seconds = rtt.to_duration().as_secs_f64();
    format!(
        "OK - {server} answered {} in {:.2} ms | rtt={seconds:.6}s;;;0",
        answer.replace('|', "\\x7c"),
        seconds * 1e3,
    )
}
