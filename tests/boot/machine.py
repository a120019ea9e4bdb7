"""The machine that boots: QEMU, with KVM where KVM really runs a kernel and with emulation elsewhere."""

import os
import tempfile
from pathlib import Path

from chains import Chain, command_line
from failure import Failure
from initrd import write_initrd
from network import tap_name
from processes import Child, wait_until

MARKER = "RINGBOOT-BOOT-OK"
# Emulation on a small CI machine is some ten times slower than KVM.
SECONDS = {"kvm": 120, "tcg": 600}

BASE = [
    "qemu-system-x86_64",
    # graphics=off makes SeaBIOS write the firmware's screen to the serial port too: it is all that a failure leaves.
    "-machine", "pc,graphics=off",
    "-m", "512", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
]


def cpu(accelerator: str) -> list:
    return ["-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"]


def mac_address(number: int) -> str:
    return f"52:54:00:12:34:{number:02x}"


def start_machine(chain: Chain, accelerator: str, run_dir: Path, number: int = 0) -> Child:
    network = ["-netdev", f"tap,id=net0,ifname={tap_name(number)},script=no,downscript=no"]
    serial = ["-serial", f"file:{run_dir / 'serial.log'}"]
    return Child(
        "qemu",
        [*BASE, *cpu(accelerator), *network, *chain.firmware(run_dir, mac_address(number)), *serial],
        run_dir / "qemu.log",
    )


def wait_for_marker(machine: Child, serial: Path, seconds: float, chain: Chain, nonce: str):
    expected = f"{MARKER} {chain.name} {nonce}"

    def seen() -> bool:
        return serial.exists() and expected in serial.read_text(errors="replace")

    try:
        wait_until(seen, seconds, machine, f"printing '{expected}'")
    except Failure:
        # The machine powers off right after the marker: look once more at what it left.
        if not seen():
            raise


def find_accelerator(assets: Path) -> str:
    """Answers "kvm" only when KVM booted the tests' own kernel, and remembers the answer until the host restarts.

    /dev/kvm may exist, open and even run firmware, and still hang in a kernel: some clouds offer a KVM without
    hardware virtualization that knows only its own paravirtual guests.
    """
    memory = assets / "accelerator"
    host = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = memory.read_text().split() if memory.exists() else []
    if known[:1] != [host]:
        known = [host, "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and kvm_boots(assets) else "tcg"]
        memory.write_text(" ".join(known))
    return known[1]


def kvm_boots(assets: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        initrd = Path(folder) / "initrd.gz"
        write_initrd(initrd, assets / "init", "probe", ballast_mib=0)
        direct = ["-kernel", assets / "vmlinuz", "-initrd", initrd, "-append", command_line("probe", "probe")]
        probe = Child(
            "KVM probe", [*BASE, *cpu("kvm"), *direct, "-nic", "none", "-serial", "stdio"], Path(folder) / "log"
        )
        try:
            wait_until(lambda: MARKER in probe.text(), 10, probe, "booted")
            return True
        except Failure:
            return MARKER in probe.text()
        finally:
            probe.kill()
