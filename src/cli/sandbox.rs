//! The options of `serve` about what the process gives up once it serves.
//! It never looks a user up: that is done at the start.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sandbox")]
pub struct SandboxArgs {
    /// Become this user once the ports are bound, if started as root
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// Give up capabilities, other files (Landlock) and system calls (seccomp) that serving does not
    /// need. auto warns where the kernel has less; strict then refuses to start [default: auto]
    #[arg(
        id = "sandbox",
        long = "sandbox",
        value_enum,
        value_name = "auto|off|strict",
        hide_possible_values = true
    )]
    pub mode: Option<Sandbox>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sandbox {
    Auto,
    Off,
    Strict,
}
