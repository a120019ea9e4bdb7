"""Runs this program once more in private namespaces, and takes everything in them down at the end, however it ends."""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

from failure import Failure

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def run_inside(run_dir: Path, seconds: float) -> int:
    """Answers the exit status of the inner program.

    The network namespace takes the devices and addresses with it, and the process namespace every process: killing its
    first process kills them all, and unshare does that when it dies itself.
    """
    unshare = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--"]
    try:
        inner = subprocess.Popen(
            [*unshare, sys.executable, "-B", *sys.argv, "--inside", run_dir], preexec_fn=die_with_parent
        )
    except OSError as error:
        raise Failure(f"cannot run unshare: {error}") from None
    try:
        return inner.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failure(f"nothing came of it within {seconds} s") from None
    finally:
        inner.kill()
        inner.wait()


def die_with_parent():
    """A supervisor that is killed outright cannot clean up; the kernel does it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
