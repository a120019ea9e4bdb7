"""The boot chains: which firmware starts, what DHCP names, and which files the TFTP root holds."""

import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

SERVER = "192.0.2.1"  # TEST-NET-1, and only inside the test's own network namespace.

UBOOT = "/usr/lib/u-boot/qemu-x86/u-boot.rom"
UBOOT_WINDOW = 16
OVMF_PAIRS = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
]


@dataclass
class Chain:
    """One way from power-on to Linux."""

    name: str
    bootfile: str
    fill_root: Callable[[Path, str], None]
    # From the run's folder and the hardware address to QEMU's words.
    firmware: Callable[[Path, str], list]
    # The files that must reach the machine, each with the windowsize that the client in charge asks for.
    fetches: list


def command_line(chain: str, nonce: str) -> str:
    return f"console=ttyS0 panic=-1 quiet boot_chain={chain} boot_nonce={nonce}"


def fill_ipxe(root: Path, arguments: str):
    (root / "boot.ipxe").write_text(
        "#!ipxe\n"
        f"kernel tftp://{SERVER}/linux/vmlinuz initrd=initrd.gz {arguments} || shell\n"
        f"initrd tftp://{SERVER}/linux/initrd.gz || shell\n"
        "boot\n"
    )


def fill_pxelinux(root: Path, arguments: str):
    shutil.copy("/usr/lib/PXELINUX/pxelinux.0", root)
    shutil.copy("/usr/lib/syslinux/modules/bios/ldlinux.c32", root)
    (root / "pxelinux.cfg").mkdir()
    (root / "pxelinux.cfg/default").write_text(
        "DEFAULT linux\n"
        "PROMPT 0\n"
        "LABEL linux\n"
        "  KERNEL linux/vmlinuz\n"
        "  INITRD linux/initrd.gz\n"
        f"  APPEND {arguments}\n"
    )


def fill_edk2_grub(root: Path, arguments: str):
    modules = "tftp net efinet linux normal configfile echo boot gzio".split()
    (root / "grub").mkdir()
    # The prefix names no server: GRUB takes it from the DHCP answer that the firmware left behind.
    subprocess.run(
        ["grub-mkimage", "-O", "x86_64-efi", "-p", "(tftp)/grub", "-o", root / "grub/core.efi", *modules],
        check=True,
    )
    (root / "grub/grub.cfg").write_text(
        "echo 'GRUB loads Linux'\n"
        f"linux /linux/vmlinuz {arguments}\n"
        "initrd /linux/initrd.gz\n"
        "boot\n"
    )


def fill_uboot(root: Path, arguments: str):
    """U-Boot's own default, after disks and USB: ask DHCP, fetch boot.scr.uimg and run it."""
    steps = [
        # Not U-Boot's default of 1: windows are what this chain is for.
        f"setenv tftpwindowsize {UBOOT_WINDOW}",
        f"setenv bootargs {arguments}",
        "tftpboot 0x1000000 linux/vmlinuz",
        "tftpboot 0x6000000 linux/initrd.gz",
        "zboot 0x1000000 0 0x6000000 ${filesize}",
    ]
    script = " && ".join(steps) + "\n"
    (root / "boot.scr.uimg").write_bytes(uboot_script_image(script.encode()))


def uboot_script_image(script: bytes) -> bytes:
    """U-Boot's legacy image with one script in it: what mkimage writes, without its package."""
    magic, linux, i386, kind, uncompressed = 0x27051956, 5, 3, 6, 0
    payload = struct.pack(">II", len(script), 0) + script

    def header(checksum: int) -> bytes:
        numbers = [magic, checksum, 0, len(payload), 0, 0, zlib.crc32(payload)]
        return struct.pack(">7I4B32s", *numbers, linux, i386, kind, uncompressed, b"boot")

    return header(zlib.crc32(header(0))) + payload


def bios_with_ipxe(_run_dir: Path, mac: str) -> list:
    """SeaBIOS, and the option ROM that QEMU puts on the card by itself: iPXE with PXE's services for PXELINUX."""
    return ["-device", nic(mac)]


def edk2(run_dir: Path, mac: str) -> list:
    """OVMF with its own network stack: an option ROM would bring iPXE's driver and hide EDK2's TFTP client."""
    code, variables = next(pair for pair in OVMF_PAIRS if all(Path(path).exists() for path in pair))
    own_variables = run_dir / "ovmf-variables.fd"
    shutil.copy(variables, own_variables)
    return [
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={own_variables}",
        # Since 2024 EDK2 leaves the network off without a source of random numbers.
        "-device", "virtio-rng-pci",
        "-device", f"{nic(mac)},romfile=",
    ]


def uboot(_run_dir: Path, mac: str) -> list:
    """U-Boot in place of a BIOS; its driver for x86 is the e1000's."""
    return ["-bios", UBOOT, "-device", f"e1000,netdev=net0,mac={mac},romfile="]


def nic(mac: str) -> str:
    return f"virtio-net-pci,netdev=net0,mac={mac},bootindex=1"


def lock_step(*files: str) -> list:
    return [(file, 1) for file in files]


LINUX = ["linux/vmlinuz", "linux/initrd.gz"]

CHAINS = {
    chain.name: chain
    for chain in [
        Chain("ipxe", "boot.ipxe", fill_ipxe, bios_with_ipxe, lock_step("boot.ipxe", *LINUX)),
        Chain(
            "pxelinux",
            "pxelinux.0",
            fill_pxelinux,
            bios_with_ipxe,
            lock_step("pxelinux.0", "ldlinux.c32", "pxelinux.cfg/default", *LINUX),
        ),
        Chain(
            "edk2-grub",
            "grub/core.efi",
            fill_edk2_grub,
            edk2,
            [("grub/core.efi", 4), *lock_step("grub/grub.cfg", *LINUX)],
        ),
        Chain(
            "u-boot",
            "boot.scr.uimg",
            fill_uboot,
            uboot,
            [*lock_step("boot.scr.uimg"), *((file, UBOOT_WINDOW) for file in LINUX)],
        ),
    ]
}
