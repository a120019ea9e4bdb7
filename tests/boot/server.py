"""The TFTP server under test: started, awaited, checked and drained."""

import shlex
from pathlib import Path

from chains import SERVER
from failure import Failure
from network import udp_port_is_bound
from processes import Child, wait_until

READY = "ringboot: ready on"
DRAIN_SECONDS = 20


def ringboot_command(binary: str) -> str:
    return f"{shlex.quote(binary)} serve --root {{root}} --listen {{address}}:69 --io {{io}}"


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


def check_log_names(server: Child, files: list):
    """The server's own story must name every file that the chain needs."""
    silent = [name for name in files if name not in server.text()]
    if silent:
        raise Failure(f"the server's log names no transfer of {', '.join(silent)}")
