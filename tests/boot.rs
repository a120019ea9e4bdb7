//! Real firmware boots a Linux kernel through ringboot: iPXE, PXELINUX, EDK2 followed by GRUB, and U-Boot, in QEMU.
//!
//! `tests/boot/run` does the work and can be run by hand. It needs root and apt. A machine that cannot run it fails the
//! test instead of passing in silence; `RINGBOOT_SKIP_BOOT=1` is the way to say that this is intended.

use std::path::Path;
use std::process::Command;

#[test]
fn ipxe_boots_linux() {
    boot("ipxe");
}

#[test]
fn pxelinux_boots_linux() {
    boot("pxelinux");
}

#[test]
fn edk2_and_grub_boot_linux() {
    boot("edk2-grub");
}

#[test]
fn u_boot_boots_linux() {
    boot("u-boot");
}

/// Eight machines at once, two of each chain: DHCP, firmware, kernels and initrds cross each other.
#[test]
#[ignore = "minutes on two cores"]
fn eight_machines_boot_at_once() {
    boot("storm");
}

/// Runs one chain; `RINGBOOT_BOOT_IO` names the backend when it is not `auto`.
fn boot(chain: &str) {
    if std::env::var_os("RINGBOOT_SKIP_BOOT").is_some_and(|value| value == "1") {
        eprintln!("boot {chain}: skipped, RINGBOOT_SKIP_BOOT=1");
        return;
    }
    let io = std::env::var("RINGBOOT_BOOT_IO").unwrap_or_else(|_| "auto".into());
    let assets = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("boot-assets");
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boot/run");
    let output = Command::new(&run)
        .args([
            chain,
            "--io",
            &io,
            "--ringboot",
            env!("CARGO_BIN_EXE_ringboot"),
            "--assets",
        ])
        .arg(assets)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}; it needs python3", run.display()));
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{chain} did not boot ({}).\n{}\nOn a machine that cannot boot QEMU guests, set RINGBOOT_SKIP_BOOT=1.",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
}
