//! Which files the farm has: what the shipped scenarios ask for, in sizes as they are in the field.
//! It never writes them.

use std::collections::BTreeMap;

use crate::content::manifest::{Manifest, PATTERN};

/// Nothing is scaled below this: a file of one block is no transfer.
const SMALLEST: u64 = 700;

/// Names with their sizes at 100 %. Few are multiples of a block size, as in the field.
const FILES: &[(&str, u64)] = &[
    // iPXE and PXELINUX
    ("undionly.kpxe", 71_123),
    ("pxelinux.0", 42_430),
    ("ldlinux.c32", 116_624),
    // UEFI with shim and GRUB
    ("shimx64.efi", 966_664),
    ("grubx64.efi", 2_656_136),
    // Linux, for all of them
    ("vmlinuz", 12_186_048),
    ("initrd.img", 48_714_307),
    // U-Boot
    ("Image", 27_306_496),
    ("board.dtb", 61_183),
    ("uInitrd", 18_437_652),
    // Raspberry Pi 4
    ("start4.elf", 2_260_672),
    ("fixup4.dat", 5_459),
    ("bcm2711-rpi-4-b.dtb", 56_288),
    ("overlays/overlay_map.dtb", 5_251),
    ("overlays/vc4-kms-v3d-pi4.dtbo", 3_913),
    ("kernel8.img", 9_423_837),
    ("initramfs8", 14_688_212),
    // Windows
    ("Boot/x64/bootmgfw.efi", 1_558_416),
    ("Boot/BCD", 262_144),
    ("Boot/boot.sdi", 3_170_304),
    ("Boot/Fonts/wgl4_boot.ttf", 49_080),
    ("Boot/Resources/bootres.dll", 94_592),
    ("sources/boot.wim", 402_653_821),
];

/// Configuration files: real ones, so that real machines can boot from the farm too.
const TEXTS: &[(&str, &str)] = &[
    (
        "boot.ipxe",
        "#!ipxe\nkernel vmlinuz initrd=initrd.img\ninitrd initrd.img\nboot\n",
    ),
    (
        "pxelinux.cfg/default",
        "DEFAULT linux\nPROMPT 0\nLABEL linux\n  KERNEL vmlinuz\n  INITRD initrd.img\n",
    ),
    (
        "pxelinux.cfg/default-arm",
        "DEFAULT linux\nLABEL linux\n  KERNEL Image\n  FDT board.dtb\n  INITRD uInitrd\n",
    ),
    (
        "grub/grub.cfg",
        "set timeout=0\nmenuentry linux {\n  linux /vmlinuz\n  initrd /initrd.img\n}\n",
    ),
    (
        "config.txt",
        "arm_64bit=1\nkernel=kernel8.img\ninitramfs initramfs8 followkernel\ndtoverlay=vc4-kms-v3d\n",
    ),
    (
        "cmdline.txt",
        "console=serial0,115200 ip=dhcp root=/dev/ram0\n",
    ),
    (
        "network-confg",
        "! common configuration of all routers\nservice timestamps log datetime\nip host tftp 192.0.2.1\nend\n",
    ),
    (
        "router-confg",
        "hostname router\ninterface Ethernet0\n ip address 192.0.2.2 255.255.255.0\nend\n",
    ),
];

/// The farm at `percent` of its full size.
#[must_use]
pub fn manifest(percent: f64, seed: u64) -> Manifest {
    let files = FILES
        .iter()
        .map(|&(name, size)| (name.to_owned(), scaled(size, percent)))
        .collect();
    let texts: BTreeMap<String, String> = TEXTS
        .iter()
        .map(|&(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    Manifest {
        pattern: PATTERN,
        seed,
        files,
        texts,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a size that is off by a byte is as good"
)]
fn scaled(size: u64, percent: f64) -> u64 {
    let wanted = (size as f64 * percent / 100.0).round() as u64;
    wanted.max(SMALLEST.min(size))
}
