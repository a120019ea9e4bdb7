//! The scenarios that come with the program, and those of the user. It never looks into a directory:
//! a scenario is named or its file is given.

use std::path::Path;

use super::{Scenario, reader};
use crate::nearest::nearest;

/// Name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("ipxe", include_str!("../../scenarios/ipxe.toml")),
    ("pxelinux", include_str!("../../scenarios/pxelinux.toml")),
    ("edk2-grub", include_str!("../../scenarios/edk2-grub.toml")),
    ("u-boot", include_str!("../../scenarios/u-boot.toml")),
    (
        "u-boot-window",
        include_str!("../../scenarios/u-boot-window.toml"),
    ),
    (
        "raspberry-pi",
        include_str!("../../scenarios/raspberry-pi.toml"),
    ),
    (
        "windows-bootmgr",
        include_str!("../../scenarios/windows-bootmgr.toml"),
    ),
    (
        "cisco-broadcast",
        include_str!("../../scenarios/cisco-broadcast.toml"),
    ),
    ("procurve", include_str!("../../scenarios/procurve.toml")),
    ("intel-rom", include_str!("../../scenarios/intel-rom.toml")),
    ("curl", include_str!("../../scenarios/curl.toml")),
    ("busybox", include_str!("../../scenarios/busybox.toml")),
];

/// The scenario of this name, or of this file: a path has a slash or ends in `.toml`.
pub fn load(named: &str) -> Result<Scenario, String> {
    if named.contains('/') || named.ends_with(".toml") {
        let text = std::fs::read_to_string(named).map_err(|error| format!("{named}: {error}"))?;
        let name = Path::new(named)
            .file_stem()
            .map_or(named.into(), |stem| stem.to_string_lossy());
        return reader::read(&name, &text);
    }
    reader::read(named, text_of(named)?)
}

/// The text of a shipped scenario.
pub fn text_of(name: &str) -> Result<&'static str, String> {
    let names = || SHIPPED.iter().map(|(name, _)| *name);
    if let Some((_, text)) = SHIPPED.iter().find(|(known, _)| *known == name) {
        return Ok(text);
    }
    Err(match nearest(name, names()) {
        Some(meant) => format!("there is no scenario \"{name}\"; did you mean \"{meant}\"?"),
        None => format!(
            "there is no scenario \"{name}\"; shipped: {}; a file is given as ./{name}.toml",
            names().collect::<Vec<_>>().join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::root::farm;
    use crate::scenario::{Expect, Step};

    fn all() -> Vec<Scenario> {
        SHIPPED
            .iter()
            .map(|(name, _)| load(name).unwrap_or_else(|error| panic!("{error}")))
            .collect()
    }

    fn on_disk(step: &Step) -> bool {
        let farm = farm(100.0, 1);
        let name = step.file.replace('\\', "/");
        let name = name.trim_start_matches('/');
        farm.files.contains_key(name) || farm.texts.contains_key(name)
    }

    #[test]
    fn the_farm_has_every_file_that_a_boot_needs() {
        for scenario in all() {
            for step in scenario
                .steps
                .iter()
                .filter(|step| step.expect == Expect::File)
            {
                assert!(on_disk(step), "{}: {}", scenario.name, step.file);
            }
            for chain in scenario
                .steps
                .chunk_by(|one, next| one.expect == next.expect)
                .filter(|chain| chain[0].expect == Expect::Chain)
            {
                assert!(
                    chain.iter().any(on_disk),
                    "{}: no configuration",
                    scenario.name
                );
            }
        }
    }

    #[test]
    fn the_farm_has_no_file_that_nobody_asks_for() {
        let asked: Vec<String> = all()
            .iter()
            .flat_map(|scenario| &scenario.steps)
            .map(|step| {
                step.file
                    .replace('\\', "/")
                    .trim_start_matches('/')
                    .to_owned()
            })
            .collect();
        let farm = farm(100.0, 1);
        for name in farm.files.keys().chain(farm.texts.keys()) {
            assert!(asked.contains(name), "{name}");
        }
    }

    #[test]
    fn pxelinux_asks_eleven_names_before_it_gives_up() {
        let scenario = load("pxelinux").unwrap();
        let chain = scenario
            .steps
            .iter()
            .filter(|step| step.expect == Expect::Chain);
        assert_eq!(chain.count(), 11);
    }

    #[test]
    fn grub_waits_as_long_as_its_forty_tries() {
        let scenario = load("edk2-grub").unwrap();
        let grub = &scenario.steps.last().unwrap().habits;
        let waits = (0..40).map(|n| 400 + 20 * n).sum::<u64>();
        assert_eq!(u128::from(waits), grub.data.first.as_millis());
        assert_eq!(grub.request.tries, 39);
        assert_eq!(grub.request.most.as_millis(), 400 + 20 * 39 + 20);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = load("ipex").unwrap_err();
        assert!(error.contains("did you mean \"ipxe\""), "{error}");
        let error = load("./nowhere.toml").unwrap_err();
        assert!(error.contains("nowhere.toml"), "{error}");
    }
}
