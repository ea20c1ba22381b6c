"""The log of what users said about answers; each event is kept once, whichever server heard it."""

from __future__ import annotations

import json
import logging
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from rewriter.bundle.durable import add_line, appending
from rewriter.errors import RewriterError

_LOGGER = logging.getLogger("rewriter.serving")


class FeedbackLog:
    """An append-only file of JSON lines, which several servers may share; an event that is in it changes nothing.

    Attributes
    ----------
    damaged
        Whole lines read that are no events; they stay in the file and are passed over.
    """

    def __init__(self, path: Path) -> None:
        """Read the events that are known.

        Raises
        ------
        RewriterError
            If the file cannot be read.
        """
        self._path, self._lock = path, threading.Lock()
        self._known, self._read, self.damaged = set[str](), 0, 0  # events of the file's first bytes
        try:
            if path.exists():
                with path.open("rb") as file:
                    self._catch_up(file)
        except OSError as error:
            raise RewriterError(f"feedback log {path}: cannot be read ({error})") from error

    def _catch_up(self, file: BinaryIO) -> None:
        """Learn the events of the whole lines that other servers wrote since; a shorter file is a new one."""
        size = file.seek(0, os.SEEK_END)
        self._read = self._read if self._read <= size else 0
        file.seek(self._read)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        events = [_event_id(line) for line in whole.split(b"\n") if line]
        self._known.update(event for event in events if event is not None)
        if damaged := events.count(None):
            self.damaged += damaged
            _LOGGER.warning("feedback log %s: %d lines after byte %d are no events", self._path, damaged, self._read)
        self._read += len(whole)

    def record(self, event: dict[str, Any]) -> bool:
        """Keep an event; it is on disk when this returns. False if its ``event_id`` is known."""
        with self._lock:
            if event["event_id"] in self._known:
                return False
            line = event | {"received": datetime.now(UTC).isoformat(timespec="milliseconds")}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with appending(self._path) as file:
                self._catch_up(file)
                if event["event_id"] in self._known:
                    return False
                add_line(file, json.dumps(line, sort_keys=True, ensure_ascii=False).encode())
                self._read = file.tell()
            self._known.add(event["event_id"])
            return True


def _event_id(line: bytes) -> str | None:
    """The event that a line tells of, None of a damaged line."""
    try:
        return str(json.loads(line)["event_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
