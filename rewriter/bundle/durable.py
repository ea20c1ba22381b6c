"""Writing that survives a kill at any instant: synced before it is named, named in one step."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 20


def sync_folder(folder: Path) -> None:
    """Wait until the folder's names are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, data: bytes) -> None:
    """Write a file and wait until its bytes are on disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content: readers see the old or the new bytes, never a mixture, also after a crash."""
    beside = path.with_name(f".{path.name}.writing")
    write_file(beside, data)
    beside.replace(path)
    sync_folder(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on disk; a line that a crash cut short was never promised and is dropped."""
    new = not path.exists()
    with path.open("ab+") as file:
        file.seek(0)
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's bytes and wait until they are on disk."""
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: a second writer waits, and a killed one leaves no lock behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
