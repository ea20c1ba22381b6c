"""Writing that survives a kill at any instant: synced before it is named, named in one step."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """A file of whole lines, open for `add_line` and locked: another process that appends waits.

    A last line that a crash cut short was never promised; it is dropped here, under the lock, where no other can be
    writing it. One that lacks nothing but its end is given that. The file must only grow or shrink by that: it is never
    replaced while somebody appends.
    """
    new = not path.exists()
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _end_last_line(file)
        yield file
    if new:
        sync_folder(path.parent)


def is_whole(line: bytes) -> bool:
    """Whether a line without its end is a JSON object: no proper beginning of one is.

    >>> is_whole(b'{"a": 1}'), is_whole(b'{"a": 1'), is_whole(b"")
    (True, False, False)
    """
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _end_last_line(file: BinaryIO) -> None:
    """End the last line if it is whole, else cut it; only as much of the file is read as that takes."""
    end = file.seek(0, os.SEEK_END)
    start, size, found = end, 1, -1
    while start > 0 and found < 0:
        size, start = min(size, start), start - min(size, start)
        file.seek(start)
        found = file.read(size).rfind(b"\n")
        size = _CHUNK
    kept = start + found + 1
    if kept == end:
        return
    file.seek(kept)
    if is_whole(file.read()):
        file.write(b"\n")
        file.flush()
    else:
        file.truncate(kept)


def add_line(file: BinaryIO, line: bytes) -> None:
    """Append one line to a file that is `appending`, and wait until it is on disk."""
    file.write(line + b"\n")
    file.flush()
    os.fsync(file.fileno())


def append_line(path: Path, line: bytes) -> None:
    """Append one line and wait until it is on disk; processes that do so at once wait for each other."""
    with appending(path) as file:
        add_line(file, line)


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
