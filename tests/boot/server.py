"""The TFTP server under test: started, awaited, checked and drained."""

import collections
import json
import shlex
from pathlib import Path

from chains import SERVER
from failure import Failure
from network import udp_port_is_bound
from processes import Child, wait_until

READY = "ringboot: ready on"
DRAIN_SECONDS = 20
# Clients look for configurations that do not exist, and EDK2 asks for a size and hangs up.
ORDINARY = ["completed", "missing", "probe"]


def ringboot_command(binary: str) -> str:
    return f"{shlex.quote(binary)} serve --root {{root}} --listen {{address}}:69 --io {{io}} --log json"


def start_server(template: str, root: Path, io: str, log: Path) -> Child:
    """Starts any TFTP server; `{root}`, `{address}` and `{io}` in the command are filled in."""
    words = [word.format(root=root, address=SERVER, io=io) for word in shlex.split(template)]
    server = Child("server", words, log)
    wait_until(lambda: udp_port_is_bound(69), 10, server, "bound to port 69")
    return server


def wait_for_ready_line(server: Child):
    wait_until(lambda: READY in server.text(), 10, server, f"saying '{READY}'")


def stop_server(server: Child):
    """A server with nothing left to do ends cleanly and soon."""
    status = server.terminate(DRAIN_SECONDS)
    if status != 0:
        raise Failure(f"the server ended with status {status} after SIGTERM, not 0")


def check_log(server: Child, fetches: list, root: Path):
    """The server's own story must agree: every file went out whole, as often and with the window that was asked."""
    transfers = [json.loads(line) for line in server.text().splitlines() if '"message":"transfer"' in line]
    for (file, windowsize), machines in collections.Counter(fetches).items():
        size = (root / file).stat().st_size
        expected = {"outcome": "completed", "bytes": size, "windowsize": windowsize}
        found = sum(t["file"].lstrip("/") == file and expected.items() <= t.items() for t in transfers)
        if found < machines:
            raise Failure(f"the server's log has {found} transfers of {file} with {expected}, not {machines}")
    for transfer in transfers:
        if transfer["outcome"] not in ORDINARY:
            raise Failure(f"the server's log has a transfer that went wrong: {transfer}")
