"""Child processes with a log file each, ended by their own process id."""

import subprocess
import time
from pathlib import Path

from failure import Failure


class Child:
    def __init__(self, name: str, command: list, log: Path):
        self.name = name
        self.log = log
        try:
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
        except OSError as error:
            raise Failure(f"cannot start {name}: {error}") from None

    def ended(self) -> bool:
        return self.process.poll() is not None

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def terminate(self, seconds: float) -> int:
        """Asks the child to end and answers its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds} s of SIGTERM") from None

    def kill(self):
        if not self.ended():
            self.process.kill()
            self.process.wait()


def wait_until(condition, seconds: float, child: Child, goal: str):
    """Polls until the condition holds, but not longer than the child lives."""
    deadline = time.monotonic() + seconds
    while not condition():
        if child.ended():
            raise Failure(f"{child.name} ended with status {child.process.returncode} before {goal}")
        if time.monotonic() > deadline:
            raise Failure(f"{child.name}: not {goal} within {seconds} s")
        time.sleep(0.05)
