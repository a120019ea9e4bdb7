"""Builds the initrd that every chain boots: init, this run's nonce, and ballast that only intact bytes unpack from."""

import gzip
import io
import os
import subprocess
from pathlib import Path


def build_init(source: Path, into: Path) -> Path:
    """Compiles init statically: the initrd has no C library."""
    program = into / "init"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-Os", "-static", "-s", "-Wall", "-Werror", "-o", program, source], check=True)
    return program


def write_initrd(path: Path, init: Path, nonce: str, ballast_mib: int):
    """Writes a gzipped newc archive.

    The ballast is random, so gzip stores it as it is and its checksum covers every block of the transfer: the kernel
    refuses an initrd with a lost, doubled or swapped block.
    """
    files = [
        ("dev", 0o040755, b"", (0, 0)),
        # The kernel opens /dev/console for init before init runs.
        ("dev/console", 0o020600, b"", (5, 1)),
        ("init", 0o100755, init.read_bytes(), (0, 0)),
        ("nonce", 0o100644, nonce.encode(), (0, 0)),
        ("ballast", 0o100644, os.urandom(ballast_mib << 20), (0, 0)),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    archive = io.BytesIO()
    for inode, (name, mode, content, device) in enumerate(files, start=1):
        archive.write(newc_header(name, inode, mode, len(content), device))
        archive.write(content + padding(len(content)))
    path.write_bytes(gzip.compress(archive.getvalue(), compresslevel=1))


def newc_header(name: str, inode: int, mode: int, size: int, device: tuple) -> bytes:
    name_bytes = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, *device, len(name_bytes), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name_bytes
    return header + padding(len(header))


def padding(length: int) -> bytes:
    return b"\0" * (-length % 4)
