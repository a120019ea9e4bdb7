//! The options of `serve` about how much is too much: rates of networks, transfers at a time.
//! It never counts anything.

use clap::Args;

use super::values::number;

/// 0 is no limit.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits (0: none)")]
pub struct LimitArgs {
    /// Requests of one network (IPv4 /24, IPv6 /64) in a second [default: 5000]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub requests_per_second: Option<u32>,

    /// Requests of one network at once, after a pause [default: 20000, or a second's worth]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub requests_burst: Option<u32>,

    /// ERROR packets to one network in a second [default: 2000]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub errors_per_second: Option<u32>,

    /// ERROR packets to one network at once [default: 20000, or a second's worth]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub errors_burst: Option<u32>,

    /// Transfers of one client at a time; more wait for their turn [default: 0]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub transfers_per_client: Option<u32>,

    /// Transfers of all clients at a time; more wait for their turn [default: 0]
    #[arg(long, value_name = "N", value_parser = number::<u32, 0, 4_294_967_295>)]
    pub transfers: Option<u32>,
}
