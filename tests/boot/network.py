"""The network of one run: a switch with a tap device for each machine, and DHCP on it."""

import os
import stat
import subprocess
from pathlib import Path

from chains import SERVER
from failure import Failure
from processes import Child, wait_until

SWITCH = "farm"


def tap_name(number: int) -> str:
    return f"{SWITCH}{number}"


def create_wire(machines: int = 1):
    ensure_tun_device()
    run_ip("link set lo up")
    run_ip(f"link add {SWITCH} type bridge")
    for tap in map(tap_name, range(machines)):
        run_ip(f"tuntap add dev {tap} mode tap")
        run_ip(f"link set {tap} master {SWITCH} up")
    run_ip(f"address add {SERVER}/24 dev {SWITCH}")
    run_ip(f"link set {SWITCH} up")


def run_ip(command: str):
    done = subprocess.run(["ip", *command.split()], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"ip {command}: {done.stderr.strip()}")


def ensure_tun_device():
    """Containers often lack the node although the kernel has the driver."""
    node = Path("/dev/net/tun")
    if not node.exists():
        node.parent.mkdir(exist_ok=True)
        try:
            os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
        except OSError as error:
            raise Failure(f"no /dev/net/tun, and it cannot be made: {error}") from None


def start_dhcp(bootfiles: dict, log: Path) -> Child:
    """dnsmasq as DHCP server only: its own TFTP stays off, so that only the server under test can answer.

    `bootfiles` are by hardware address.
    """
    boots = []
    for number, (mac, bootfile) in enumerate(bootfiles.items()):
        boots += [f"--dhcp-host={mac},set:machine{number}", f"--dhcp-boot=tag:machine{number},{bootfile},,{SERVER}"]
    dnsmasq = Child(
        "dnsmasq",
        [
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--leasefile-ro",
            "--port=0", "--log-dhcp",
            f"--interface={SWITCH}", "--bind-interfaces",
            "--dhcp-range=192.0.2.100,192.0.2.150,255.255.255.0,1h",
            # A network of our own: the ping before an offer would only cost three seconds.
            "--no-ping", "--dhcp-authoritative",
            *boots,
        ],
        log,
    )
    wait_until(lambda: udp_port_is_bound(67), 10, dnsmasq, "listening")
    return dnsmasq


def lose_packets(per_mille: int):
    """Drops TFTP datagrams at random in both directions; DHCP is not what is tested.

    The hooks sit at the device: a drop at the socket's own output hook would tell the server EPERM, which no real wire
    does. A train of segments is still one packet there, so a window may be lost as a whole.
    """
    drop = f"meta l4proto udp udp dport != {{ 67, 68 }} numgen random mod 1000 < {per_mille} drop;"
    hooks = "".join(
        f"chain {hook} {{ type filter hook {hook} device {SWITCH} priority 0; {drop} }}\n" for hook in ["ingress", "egress"]
    )
    done = subprocess.run(["nft", f"table netdev loss {{\n{hooks}}}"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"cannot lose packets: {done.stderr.strip()}")


def udp_port_is_bound(port: int) -> bool:
    tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
    lines = [line for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(int(line.split()[1].rpartition(":")[2], 16) == port for line in lines)
