"""Writes the decision log in the background; a request never waits for the disk."""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from rewriter.decision_log import file_of

_LOGGER = logging.getLogger("rewriter.serving")
_ROOM = 10_000
#: Decisions written together: enough to spare the disk, few enough that a crash loses little.
_TOGETHER = 500
#: Seconds that a closing log waits for a disk that does not answer.
GRACE_S = 10.0


class DecisionWriter:
    """A bounded queue and one thread that appends to the log's files.

    Attributes
    ----------
    dropped
        Decisions lost because the queue was full or the disk refused them.
    """

    def __init__(self, folder: Path, room: int = _ROOM) -> None:
        self.folder, self.dropped = folder, 0
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(room)
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._failed = False

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, decision: dict[str, Any]) -> None:
        """Log one decision, `schemas.tables.DECISIONS` with ``at`` a datetime; counted as dropped if there is no room."""
        try:
            self._queue.put_nowait(decision)
        except queue.Full:
            self.dropped += 1

    def close(self, grace_s: float = GRACE_S) -> None:
        """Write what is left and stop; what a stuck disk has not taken within ``grace_s`` seconds is left behind."""
        if not self._thread.is_alive():
            return
        end = time.monotonic() + grace_s
        with suppress(queue.Full):
            self._queue.put(None, timeout=grace_s)
            self._thread.join(max(0.0, end - time.monotonic()))
        if self._thread.is_alive():
            _LOGGER.error("decision log: the disk did not answer within %g s; the last decisions are not written", grace_s)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < _TOGETHER and not self._queue.empty():
                following = self._queue.get()
                if last := following is None:
                    break
                batch.append(following)  # type: ignore[arg-type]
            self._write(batch)
            if last:
                return

    def _write(self, batch: list[dict[str, Any]]) -> None:
        lines: dict[str, list[bytes]] = {}
        for decision in batch:
            try:
                lines.setdefault(file_of(_instant(decision)), []).append(orjson.dumps(decision))
            except orjson.JSONEncodeError as error:
                self._lose(1, str(error))
        for name, rows in lines.items():
            try:
                _append(self.folder / name, b"\n".join(rows) + b"\n")
            except OSError as error:
                self._lose(len(rows), f"{self.folder / name}: {error.strerror}")

    def _lose(self, n: int, why: str) -> None:
        self.dropped += n
        if not self._failed:
            _LOGGER.error("decision log: %s; what cannot be written is dropped and counted", why)
        self._failed = True


def _instant(decision: Mapping[str, Any]) -> datetime:
    at: datetime = decision["at"]
    return at


def _append(path: Path, data: bytes) -> None:
    """Append in one system call, so that two servers may share a log; a line torn by a crash is closed off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = b"\n" + data if torn else data
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
