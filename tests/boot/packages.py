"""Gets the Debian or Ubuntu packages that the boot tests need: installs tools, and only unpacks a kernel."""

import os
import subprocess
from pathlib import Path

from failure import Failure

# What must exist, and the package that brings it. Any one of the paths is enough: the distributions differ.
TOOLS = [
    (["/usr/bin/qemu-system-x86_64"], "qemu-system-x86"),
    (["/usr/lib/ipxe/qemu/efi-virtio.rom"], "ipxe-qemu"),
    (["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd"], "ovmf"),
    (["/usr/lib/PXELINUX/pxelinux.0"], "pxelinux"),
    (["/usr/lib/syslinux/modules/bios/ldlinux.c32"], "syslinux-common"),
    (["/usr/bin/grub-mkimage"], "grub-common"),
    (["/usr/lib/grub/x86_64-efi/tftp.mod"], "grub-efi-amd64-bin"),
    (["/usr/lib/u-boot/qemu-x86/u-boot.rom"], "u-boot-qemu"),
    (["/usr/sbin/dnsmasq"], "dnsmasq-base"),
    (["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"], "iproute2"),
    (["/usr/bin/gcc"], "gcc"),
    (["/usr/lib/x86_64-linux-gnu/libc.a"], "libc6-dev"),
]

# Small kernels first: Debian's and Ubuntu's names for "the kernel for virtual machines".
KERNEL_METAPACKAGES = ["linux-image-cloud-amd64", "linux-image-virtual", "linux-image-amd64"]


def install_missing_tools():
    """Installs the packages of TOOLS that this machine lacks."""
    missing = [package for paths, package in TOOLS if not any(Path(path).exists() for path in paths)]
    if missing:
        refresh_lists()
        apt("apt-get", "install", "-y", "--no-install-recommends", *missing)


def unpack_kernel(into: Path) -> Path:
    """Downloads a distribution kernel and unpacks its image alone: 14 MB instead of an installed package."""
    kernel = into / "vmlinuz"
    if not kernel.exists():
        refresh_lists()
        package = newest_kernel_package()
        apt("apt-get", "download", package, cwd=into)
        archive = next(into.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, into / "unpacked"], check=True)
        # The rename is last, so that an interrupted run leaves no half kernel behind.
        next((into / "unpacked/boot").glob("vmlinuz-*")).rename(kernel)
        archive.unlink()
        subprocess.run(["rm", "-rf", into / "unpacked"], check=True)
    return kernel


def newest_kernel_package() -> str:
    for metapackage in KERNEL_METAPACKAGES:
        listing = subprocess.run(["apt-cache", "depends", metapackage], capture_output=True, text=True).stdout
        for line in listing.splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends" and name.startswith("linux-image-"):
                return name
    raise Failure(f"apt knows none of {', '.join(KERNEL_METAPACKAGES)}: no kernel to boot")


def refresh_lists():
    apt("apt-get", "update")


def apt(*command: str, cwd=None):
    if os.geteuid() != 0:
        raise Failure(f"root is needed for: {' '.join(command)}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    except FileNotFoundError:
        raise Failure(f"{command[0]} is missing: the boot tests need Debian or Ubuntu") from None
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
