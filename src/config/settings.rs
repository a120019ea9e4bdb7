//! All that is set: the file, the environment over it, the flags over both; and who set what.
//! It never fills in a default before it is asked for one.

use std::path::Path;

use super::{Config, ConfigError, File};
use crate::cli::Environment;

/// The layers, and what they come to.
#[derive(Debug)]
pub struct Settings {
    /// The file's text, with what the other layers say laid over it.
    pub config: Config,
    pub(super) environment: Vec<(String, File)>,
    pub(super) flags: File,
    /// What is odd and no mistake.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the file at `config`, or else the one that the environment names, and lays the other
    /// layers over it.
    ///
    /// # Errors
    /// Every mistake in the file's form and in the environment.
    pub fn read(
        flags: File,
        config: Option<&Path>,
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        let path = config.or(environment.config());
        let file = path.map_or_else(|| Ok(Config::none()), Config::read);
        let Environment {
            settings,
            mut mistakes,
            warnings,
        } = environment;
        let environment: Vec<(String, File)> = settings
            .iter()
            .map(|(name, args)| (name.clone(), File::from(args)))
            .collect();
        if excludes_itself(&environment) {
            let text = "RINGBOOT_SINGLE_PORT and RINGBOOT_DATA_PORTS exclude each other";
            mistakes.push(text.to_owned());
        }
        if !mistakes.is_empty() {
            let others = file.err().map(Box::new);
            return Err(ConfigError::Environment(mistakes, others));
        }
        let mut config = file?;
        let mut over = File::default();
        for (_, layer) in &environment {
            over.cover(layer.clone());
        }
        config.file.cover(over);
        config.file.cover(flags.clone());
        Ok(Self {
            config,
            environment,
            flags,
            warnings,
        })
    }
}

fn excludes_itself(environment: &[(String, File)]) -> bool {
    let single = |file: &File| file.single_port == Some(true);
    environment.iter().any(|(_, file)| single(file))
        && environment
            .iter()
            .any(|(_, file)| file.data_ports.is_some())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Cli, Command, ServeArgs};

    fn flags(args: &[&str]) -> ServeArgs {
        let all = ["ringboot", "serve"].iter().chain(args);
        match Cli::try_parse_from(all).expect("arguments").command {
            Command::Serve(args) => args,
            other => panic!("not serve: {other:?}"),
        }
    }

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Environment::read(variables.iter().map(pair))
    }

    fn settings(file: &str, variables: &[(&str, &str)], args: &[&str]) -> Settings {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("ringboot.toml");
        fs::write(&path, format!("version = 1\n{file}")).expect("written");
        let flags = File::from(&flags(args));
        Settings::read(flags, Some(&path), environment(variables)).expect("settings")
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let file = "shards = 1\nmax-windowsize = 8\ndrain-timeout = 5\nio = 'epoll'\n\
                    [access]\nallow = '10.0.0.0/8'\ndeny = '10.1.0.0/16'\n";
        let variables = [
            ("RINGBOOT_SHARDS", "2"),
            ("RINGBOOT_MAX_WINDOWSIZE", "16"),
            ("RINGBOOT_ALLOW", "10.2.0.0/16,10.3.0.0/16"),
        ];
        let settings = settings(file, &variables, &["--shards", "3"]);
        let server = settings.config.file.server();
        assert_eq!((server.shards, server.max_windowsize), (Some(3), 16));
        assert_eq!(server.drain_timeout, 5);
        let access = settings.config.file.access();
        assert_eq!((access.allow.len(), access.deny.len()), (2, 1));
    }

    /// Else nobody could get rid of the lower layer's.
    #[test]
    fn of_settings_that_exclude_each_other_the_upper_layer_wins() {
        let ports = |settings: Settings| {
            let server = settings.config.file.server();
            (server.single_port, server.data_ports.is_some())
        };
        let over_ports = ("data-ports = '8-9'", [("RINGBOOT_SINGLE_PORT", "1")]);
        assert_eq!(
            ports(settings(over_ports.0, &over_ports.1, &[])),
            (true, false)
        );
        let over_single = ("single-port = true", [("RINGBOOT_DATA_PORTS", "8-9")]);
        assert_eq!(
            ports(settings(over_single.0, &over_single.1, &[])),
            (false, true)
        );
        let flags = ["--single-port=false"];
        assert_eq!(ports(settings(over_single.0, &[], &flags)), (false, false));
        let both = environment(&[
            ("RINGBOOT_SINGLE_PORT", "1"),
            ("RINGBOOT_DATA_PORTS", "8-9"),
        ]);
        assert!(Settings::read(File::default(), None, both).is_err());
    }

    #[test]
    fn paths_begin_at_the_file_or_where_the_program_was_started() {
        let root = |settings: Settings| {
            let root = settings.config.file.root.expect("a root");
            root.into_inner()
        };
        let of_file = root(settings("root = 'boot'", &[], &[]));
        assert!(of_file.is_absolute() && of_file.ends_with("boot"));
        assert_eq!(
            root(settings("", &[("RINGBOOT_ROOT", "boot")], &[])),
            Path::new("boot")
        );
        assert_eq!(
            root(settings("root = 'a'", &[("RINGBOOT_ROOT", "b")], &["c"])),
            Path::new("c")
        );
    }
}
