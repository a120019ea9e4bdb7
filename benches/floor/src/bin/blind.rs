//! Sends bursts of ACKs without waiting for any DATA, for measuring one leg of a server alone.
//! Never looks at what it gets after the OACK: in `benches/legs` DATA is dropped before it arrives.

use std::io::{self, BufRead};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Clients that acknowledge whatever the server may have sent. Prints "ready" once all have their OACK; then, for each
/// line on standard input, sends a burst and prints how many ACKs that were.
#[derive(Parser)]
struct Args {
    server: SocketAddrV4,
    #[arg(long)]
    file: String,
    #[arg(long, default_value_t = 200)]
    clients: usize,
    #[arg(long, default_value_t = 1468)]
    blksize: usize,
    #[arg(long, default_value_t = 1)]
    windowsize: u16,
    /// How many ACKs each client sends in a burst.
    #[arg(long, default_value_t = 20)]
    burst: u16,
    /// Every ACK has this number, so that none leads to DATA.
    #[arg(long)]
    same: Option<u16>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("blind: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let clients = (0..args.clients)
        .map(|_| ask(args))
        .collect::<io::Result<Vec<_>>>()?;
    println!("ready");
    let mut round: u16 = 0;
    for line in io::stdin().lock().lines() {
        line?;
        let mut sent = 0;
        for _ in 0..args.burst {
            let number = args.same.unwrap_or(round.wrapping_mul(args.windowsize));
            let [high, low] = number.to_be_bytes();
            round = round.wrapping_add(1);
            // A refusal is of an earlier ACK and concerns one client.
            let accepted = |client: &&UdpSocket| client.send(&[0, 4, high, low]).is_ok();
            sent += clients.iter().filter(accepted).count();
        }
        println!("{sent}");
    }
    Ok(())
}

/// Asks for the file and takes the OACK; the socket is connected to where that came from.
fn ask(args: &Args) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let Args {
        file,
        blksize,
        windowsize,
        ..
    } = args;
    let request = format!("\0\x01{file}\0octet\0blksize\0{blksize}\0windowsize\0{windowsize}\0");
    socket.send_to(request.as_bytes(), args.server)?;
    let (len, from): (usize, SocketAddr) = socket.recv_from(&mut [0; 2048])?;
    if len < 2 {
        return Err(io::Error::other("no OACK"));
    }
    socket.connect(from)?;
    Ok(socket)
}
