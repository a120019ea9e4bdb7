//! The environment's spelling of the flags of `serve`: `RINGBOOT_DRAIN_TIMEOUT` is `--drain-timeout`.
//! It never reads the environment: that is handed to it.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches, Parser};

use super::{ServeArgs, nearest};

/// What the environment asks for.
#[derive(Debug, Default)]
pub struct Environment {
    /// By the variable's name. An empty variable is as good as none.
    pub settings: Vec<(String, ServeArgs)>,
    /// Variables whose values cannot be: name, value and what is allowed.
    pub mistakes: Vec<String>,
    /// Variables that look like ours and are not.
    pub warnings: Vec<String>,
}

/// The flags of `serve` alone: a variable is understood as the flag of its name.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

impl Environment {
    /// Understands the variables that begin with `RINGBOOT_`.
    pub fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let command = Flags::command();
        let mut ours: Vec<_> = variables.into_iter().filter_map(of_ours).collect();
        ours.sort();
        let mut found = Self::default();
        for (name, value) in ours {
            let flag = command
                .get_arguments()
                .find(|arg| arg.get_long().is_some_and(|long| variable(long) == name));
            match flag {
                Some(flag) => match understand(&command, flag, &value) {
                    Ok(args) => found.settings.push((name, args)),
                    Err(why) => {
                        let value = value.to_string_lossy();
                        found.mistakes.push(format!("{name}={value}: {why}"));
                    }
                },
                None if is_of_a_cluster(&name, &value) => {}
                None => found.warnings.push(unknown(&command, &name)),
            }
        }
        found
    }

    /// The configuration file, where it is named here.
    #[must_use]
    pub fn config(&self) -> Option<&std::path::Path> {
        let configs = self.settings.iter().map(|(_, args)| args.config.as_deref());
        configs.flatten().next()
    }
}

/// The variable of a flag.
#[must_use]
pub fn variable(flag: &str) -> String {
    format!("{OURS}{}", flag.to_ascii_uppercase().replace('-', "_"))
}

/// Every flag of `serve`, without its dashes.
#[must_use]
pub fn flags() -> Vec<String> {
    let command = Flags::command();
    let longs = command.get_arguments().filter_map(Arg::get_long);
    longs.map(ToOwned::to_owned).collect()
}

const OURS: &str = "RINGBOOT_";

fn of_ours((name, value): (OsString, OsString)) -> Option<(String, OsString)> {
    let name = name.into_string().ok()?;
    (name.starts_with(OURS) && !value.is_empty()).then_some((name, value))
}

/// Kubernetes and Docker tell every container of a namespace where its services are; a service that
/// is called ringboot makes variables that are not meant for us.
fn is_of_a_cluster(name: &str, value: &OsStr) -> bool {
    let address = value.to_string_lossy();
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || address.starts_with("udp://")
        || address.starts_with("tcp://")
}

fn unknown(command: &Command, name: &str) -> String {
    let known: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    let wrong = name.strip_prefix(OURS).unwrap_or(name);
    match nearest(wrong, &known) {
        Some(near) => format!(
            "{name} means nothing to ringboot; did you mean {}?",
            variable(near)
        ),
        None => format!("{name} means nothing to ringboot"),
    }
}

/// The value as that of the flag; a list has commas.
fn understand(command: &Command, flag: &Arg, value: &OsStr) -> Result<ServeArgs, String> {
    let long = flag.get_long().unwrap_or_default();
    let is_list = matches!(flag.get_action(), ArgAction::Append);
    let values: Vec<&[u8]> = if is_list {
        value.as_bytes().split(|&byte| byte == b',').collect()
    } else {
        vec![value.as_bytes()]
    };
    let words = values.into_iter().map(|value| {
        let value = if is_list { value.trim_ascii() } else { value };
        OsString::from_vec([b"--", long.as_bytes(), b"=", value].concat())
    });
    let matches = command.clone().try_get_matches_from(words);
    let flags = matches.and_then(|matches| Flags::from_arg_matches(&matches));
    flags.map(|flags| flags.serve).map_err(|error| why(&error))
}

/// What is wrong with the one value, without the words about flags.
fn why(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue)
        && !valid.is_empty()
    {
        return format!("there are: {}", valid.join(", "));
    }
    let text = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn a_variable_is_the_flag_of_its_name() {
        let found = read(&[
            ("RINGBOOT_LISTEN", "10.0.0.1:69, [fd00::1]:69"),
            ("RINGBOOT_SINGLE_PORT", "yes"),
            ("RINGBOOT_MAX_WINDOWSIZE", "8"),
            ("RINGBOOT_CONFIG", "/etc/x.toml"),
            ("RINGBOOT_SHARDS", ""),
            ("PATH", "/bin"),
        ]);
        assert!(found.mistakes.is_empty(), "{:?}", found.mistakes);
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        assert_eq!(found.config(), Some("/etc/x.toml".as_ref()));
        let of = |name: &str| {
            let named = |one: &&(String, ServeArgs)| one.0 == name;
            &found.settings.iter().find(named).expect("a variable").1
        };
        assert_eq!(of("RINGBOOT_LISTEN").listen.len(), 2);
        assert_eq!(of("RINGBOOT_SINGLE_PORT").single_port, Some(true));
        assert_eq!(of("RINGBOOT_MAX_WINDOWSIZE").max_windowsize, Some(8));
        assert_eq!(found.settings.len(), 4);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_variable_and_what_is_allowed() {
        for (name, value, wanted) in [
            (
                "RINGBOOT_IO",
                "magic",
                "RINGBOOT_IO=magic: there are: auto, uring, epoll",
            ),
            (
                "RINGBOOT_SHARDS",
                "0",
                "RINGBOOT_SHARDS=0: it is a number from 1 to 1024",
            ),
            (
                "RINGBOOT_SHARDS",
                "two",
                "RINGBOOT_SHARDS=two: it is a number from 1 to 1024",
            ),
            (
                "RINGBOOT_DRAIN_TIMEOUT",
                "x",
                "RINGBOOT_DRAIN_TIMEOUT=x: it is a whole number of seconds up to 86400",
            ),
            (
                "RINGBOOT_NEIGHBOURS",
                "maybe",
                "RINGBOOT_NEIGHBOURS=maybe: it is true or false",
            ),
            (
                "RINGBOOT_ALLOW",
                "10.0.0.0/8,x",
                "RINGBOOT_ALLOW=10.0.0.0/8,x: ",
            ),
        ] {
            let found = read(&[(name, value)]);
            assert_eq!(found.mistakes.len(), 1, "{name}={value}");
            assert!(
                found.mistakes[0].starts_with(wanted),
                "{}",
                found.mistakes[0]
            );
        }
    }

    #[test]
    fn an_unknown_variable_is_warned_of_with_the_nearest() {
        let found = read(&[("RINGBOOT_DRAIN_TIME", "1"), ("RINGBOOT_ZZZ", "1")]);
        assert_eq!(
            found.warnings,
            [
                "RINGBOOT_DRAIN_TIME means nothing to ringboot; did you mean RINGBOOT_DRAIN_TIMEOUT?",
                "RINGBOOT_ZZZ means nothing to ringboot"
            ]
        );
        let cluster = read(&[
            ("RINGBOOT_SERVICE_HOST", "10.96.0.1"),
            ("RINGBOOT_SERVICE_PORT_TFTP", "69"),
            ("RINGBOOT_PORT", "udp://10.96.0.1:69"),
            ("RINGBOOT_PORT_69_UDP_ADDR", "10.96.0.1"),
        ]);
        assert!(cluster.warnings.is_empty(), "{:?}", cluster.warnings);
    }

    #[test]
    fn every_flag_has_its_variable() {
        for flag in flags() {
            let found = read(&[(&variable(&flag), "~")]);
            assert!(found.warnings.is_empty(), "{flag}: {:?}", found.warnings);
        }
    }
}
