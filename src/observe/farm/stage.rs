//! What a file is to a machine that boots, told from its name.
//! It never looks at the file.

use serde::{Deserialize, Serialize};

/// The steps of a boot, in the order in which they usually come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Nothing that the name tells.
    Other,
    /// What the firmware fetches, and what that fetches to go on.
    Loader,
    /// What to boot; loaders try many names until one exists.
    Config,
    /// What a kernel needs to know of the board.
    Tree,
    Kernel,
    /// An initial file system, or a whole image.
    Initrd,
}

/// Beginnings of the last part of a name.
const BEGINS: &[(&str, Stage)] = &[
    ("vmlinu", Stage::Kernel),
    ("linux", Stage::Kernel),
    ("bzimage", Stage::Kernel),
    ("zimage", Stage::Kernel),
    ("uimage", Stage::Kernel),
    ("image", Stage::Kernel),
    ("kernel", Stage::Kernel),
    ("wimboot", Stage::Kernel),
    ("memdisk", Stage::Kernel),
    ("xen", Stage::Kernel),
    ("initr", Stage::Initrd),
    ("uinitrd", Stage::Initrd),
    ("uramdisk", Stage::Initrd),
    ("rootfs", Stage::Initrd),
    ("boot.sdi", Stage::Initrd),
    ("pxelinux.0", Stage::Loader),
    ("lpxelinux", Stage::Loader),
    ("undionly", Stage::Loader),
    ("ipxe", Stage::Loader),
    ("snponly", Stage::Loader),
    ("bootcode.bin", Stage::Loader),
    ("start", Stage::Loader),
    ("fixup", Stage::Loader),
    ("pieeprom", Stage::Loader),
    ("recovery", Stage::Loader),
    ("bootmgr", Stage::Loader),
    ("wdsnbp", Stage::Loader),
    ("pxeboot", Stage::Loader),
    ("u-boot", Stage::Loader),
    ("config.txt", Stage::Config),
    ("cmdline.txt", Stage::Config),
    ("autoexec.ipxe", Stage::Config),
    ("bcd", Stage::Config),
];

/// Ends of it.
const ENDS: &[(&str, Stage)] = &[
    (".ipxe", Stage::Config),
    (".cfg", Stage::Config),
    (".conf", Stage::Config),
    (".lst", Stage::Config),
    (".menu", Stage::Config),
    (".scr", Stage::Config),
    (".xml", Stage::Config),
    (".json", Stage::Config),
    (".yaml", Stage::Config),
    (".dtb", Stage::Tree),
    (".dtbo", Stage::Tree),
    (".cpio", Stage::Initrd),
    (".cpio.gz", Stage::Initrd),
    (".squashfs", Stage::Initrd),
    (".wim", Stage::Initrd),
    (".iso", Stage::Initrd),
    (".efi", Stage::Loader),
    (".0", Stage::Loader),
    (".kpxe", Stage::Loader),
    (".kkpxe", Stage::Loader),
    (".pxe", Stage::Loader),
    (".c32", Stage::Loader),
    (".mod", Stage::Loader),
    (".elf", Stage::Loader),
    (".n12", Stage::Loader),
    (".img", Stage::Initrd),
];

impl Stage {
    /// Classifies a client's name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let name = name.replace('\\', "/");
        let (above, last) = name.rsplit_once('/').unwrap_or(("", &name));
        if above.ends_with("pxelinux.cfg") || above.ends_with("extlinux") {
            return Self::Config;
        }
        // An EFI loader is one whatever else its name says, and so is iPXE's script a configuration.
        if last.ends_with(".efi") && !last.starts_with("vmlinu") && !last.starts_with("linux") {
            return Self::Loader;
        }
        if last.ends_with(".ipxe") || last.starts_with("grub.cfg") {
            return Self::Config;
        }
        let begins = BEGINS.iter().find(|(begin, _)| last.starts_with(begin));
        let ends = || ENDS.iter().find(|(end, _)| last.ends_with(end));
        begins
            .or_else(ends)
            .map_or(Self::Other, |(_, stage)| *stage)
    }

    /// Whether a machine that has it can go on by itself.
    #[must_use]
    pub const fn is_system(self) -> bool {
        matches!(self, Self::Kernel | Self::Initrd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_firmware_find_their_stage() {
        for (name, stage) in [
            ("pxelinux.0", Stage::Loader),
            ("ldlinux.c32", Stage::Loader),
            ("EFI/BOOT/BOOTX64.EFI", Stage::Loader),
            ("grubx64.efi", Stage::Loader),
            ("grub/x86_64-efi/normal.mod", Stage::Loader),
            ("ipxe.efi", Stage::Loader),
            ("undionly.kpxe", Stage::Loader),
            ("3f2a91c0/start4.elf", Stage::Loader),
            ("Boot\\x64\\wdsnbp.com", Stage::Loader),
            ("pxelinux.cfg/01-52-54-00-12-34-56", Stage::Config),
            ("pxelinux.cfg/C0A8", Stage::Config),
            ("grub/grub.cfg-01-52-54-00-12-34-56", Stage::Config),
            ("boot.ipxe", Stage::Config),
            ("\\Boot\\BCD", Stage::Config),
            ("3f2a91c0/config.txt", Stage::Config),
            ("bcm2711-rpi-4-b.dtb", Stage::Tree),
            ("images/debian/vmlinuz-6.1.0", Stage::Kernel),
            ("vmlinuz.efi", Stage::Kernel),
            ("bzImage", Stage::Kernel),
            ("kernel8.img", Stage::Kernel),
            ("initrd.img-6.1.0", Stage::Initrd),
            ("initramfs-linux.img", Stage::Initrd),
            ("boot/boot.wim", Stage::Initrd),
            ("SEP001122334455.tlv", Stage::Other),
            ("", Stage::Other),
            ("/", Stage::Other),
        ] {
            assert_eq!(Stage::of(name.as_bytes()), stage, "{name}");
        }
    }
}
