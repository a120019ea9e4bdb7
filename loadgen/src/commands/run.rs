//! `bootstorm run`: files, as many machines as wanted, in a closed or open load.
//! It never plays a whole boot.

use std::time::Duration;

use clap::Args;

use super::Verdict;
use super::common::{Common, seconds};
use super::live;
use crate::engine::Load;
use crate::scenario::{self, Acks, Ask, Expect, Habits, Patience, Stop};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bootstorm run 10.0.0.1 --machines 500 --file pxelinux.0 --blksize 1468
  bootstorm run 127.0.0.1:6969 -m 200 --file kernel=9 --file initrd=1 --duration 30 --warmup 5
  bootstorm run tftp.example.net -m 1000 --file vmlinuz --arrival poisson:50 --duration 60 \\
      --loss 1% --client ipxe --json result.json")]
pub struct Run {
    #[command(flatten)]
    common: Common,

    /// The file to fetch; several are chosen from by weight
    #[arg(long, short, value_name = "NAME[=WEIGHT]", required = true, value_parser = weighted)]
    file: Vec<(String, f64)>,

    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "The client")]
pub struct ClientArgs {
    /// Take the habits of this scenario's client (see bootstorm scenarios); the options below
    /// change them
    #[arg(long, value_name = "NAME")]
    client: Option<String>,

    /// Ask for blocks of so many bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(8..=65464))]
    blksize: Option<u16>,

    /// Ask for so many blocks before each ACK
    #[arg(long, value_name = "BLOCKS", value_parser = clap::value_parser!(u16).range(1..))]
    windowsize: Option<u16>,

    /// Ask for the size of the file
    #[arg(long)]
    tsize: bool,

    /// Ask the server to resend after so many seconds
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u8).range(1..))]
    timeout_option: Option<u8>,

    /// Ask for any other option
    #[arg(long, value_name = "NAME=VALUE", value_parser = option)]
    option: Vec<Ask>,

    /// Options for a part of the transfers, on top of the others: windowsize=16,blksize=1468 or
    /// nothing; several are chosen from by weight
    #[arg(long, value_name = "NAME=VALUE,...[:WEIGHT]", value_parser = choice)]
    mix: Vec<(Vec<Ask>, f64)>,

    /// Fetch as netascii
    #[arg(long)]
    netascii: bool,

    /// A client repeats itself after so many seconds without progress. Default: 1
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    wait: Option<Duration>,

    /// Repeats before a client gives up. Default: 6
    #[arg(long, value_name = "N")]
    tries: Option<u32>,

    /// Tolerate options in the answer that were not asked for
    #[arg(long)]
    lenient: bool,
}

impl Run {
    /// Runs it.
    pub fn run(&self) -> Result<Verdict, String> {
        let load = load(&self.file, &self.client, self.common.impairment.slow)?;
        live::run(&self.common.plan(load)?, &self.common.measuring)
    }
}

/// Files with their weights; the client takes `slow` more for each block.
pub(super) fn load(
    files: &[(String, f64)],
    client: &ClientArgs,
    slow: Duration,
) -> Result<Load, String> {
    let mut habits = client.habits()?;
    habits.block_time += slow;
    let mix = client.mix.iter().map(|(options, share)| {
        let mut asked = habits.options.clone();
        options.iter().for_each(|option| ask(&mut asked, option));
        (asked, *share)
    });
    Ok(Load::Files {
        files: files.to_vec(),
        mix: mix.collect(),
        habits: Box::new(habits),
    })
}

impl ClientArgs {
    /// The options that were asked for, in the order of the request.
    fn options(&self) -> Vec<Ask> {
        let windowsize = self.windowsize.filter(|&blocks| blocks > 1);
        let said = [
            ("tsize", self.tsize.then(|| "0".to_owned())),
            ("blksize", self.blksize.map(|bytes| bytes.to_string())),
            ("windowsize", windowsize.map(|blocks| blocks.to_string())),
            ("timeout", self.timeout_option.map(|time| time.to_string())),
        ];
        let said = said.into_iter().filter_map(|(name, value)| {
            let name = name.to_owned();
            value.map(|value| Ask { name, value })
        });
        said.chain(self.option.iter().cloned()).collect()
    }

    fn habits(&self) -> Result<Habits, String> {
        let mut habits = match &self.client {
            Some(name) => habits_of(name)?,
            None => Habits {
                strict_oack: Some(8),
                acks: Acks::Window,
                ..Habits::default()
            },
        };
        habits.netascii |= self.netascii;
        for option in self.options() {
            ask(&mut habits.options, &option);
        }
        if self.wait.is_some() || self.tries.is_some() {
            for patience in [&mut habits.request, &mut habits.data] {
                let wait = self.wait.unwrap_or(patience.first);
                *patience = Patience::fixed(wait, self.tries.unwrap_or(patience.tries));
            }
        }
        if self.lenient {
            habits.strict_oack = None;
        }
        Ok(habits)
    }
}

/// Asks for an option once, as it was said last.
fn ask(options: &mut Vec<Ask>, option: &Ask) {
    options.retain(|known| !known.name.eq_ignore_ascii_case(&option.name));
    options.push(option.clone());
}

/// The habits with which a scenario's client fetches a whole file.
fn habits_of(name: &str) -> Result<Habits, String> {
    let scenario = scenario::load(name)?;
    let whole = |step: &&scenario::Step| step.habits.stop == Stop::End;
    let file = |step: &&scenario::Step| whole(step) && step.expect == Expect::File;
    let steps = &scenario.steps;
    let step = steps.iter().find(file).or_else(|| steps.iter().find(whole));
    step.map(|step| step.habits.clone())
        .ok_or_else(|| format!("the client of {name} never fetches a whole file"))
}

/// "windowsize=16,blksize=1468:3", "nothing:1".
fn choice(text: &str) -> Result<(Vec<Ask>, f64), String> {
    let (list, weight) = text.rsplit_once(':').unwrap_or((text, "1"));
    let weight = weight.parse::<f64>().ok();
    let weight = weight.filter(|weight| weight.is_finite() && *weight > 0.0);
    let weight = weight.ok_or_else(|| format!("\"{text}\": the weight is no positive number"))?;
    let options = match list {
        "nothing" => Vec::new(),
        list => list.split(',').map(option).collect::<Result<_, _>>()?,
    };
    Ok((options, weight))
}

pub(super) fn weighted(text: &str) -> Result<(String, f64), String> {
    match text.rsplit_once('=') {
        Some((name, weight)) => {
            let weight = weight.parse::<f64>().ok();
            let weight = weight.filter(|w| w.is_finite() && *w > 0.0);
            weight
                .map(|weight| (name.into(), weight))
                .ok_or_else(|| format!("\"{text}\": the weight is no positive number"))
        }
        None => Ok((text.into(), 1.0)),
    }
}

fn option(text: &str) -> Result<Ask, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("\"{text}\" is not NAME=VALUE"))?;
    Ok(Ask {
        name: name.into(),
        value: value.into(),
    })
}
