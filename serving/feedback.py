"""The log of what users said about answers; each event is kept once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rewriter.bundle.durable import append_line
from rewriter.errors import RewriterError


class FeedbackLog:
    """An append-only file of JSON lines; an event that is in it already changes nothing, also after a restart."""

    def __init__(self, path: Path) -> None:
        """Read the events that are known.

        Raises
        ------
        RewriterError
            If the file cannot be read.
        """
        self._path, self._lock = path, threading.Lock()
        try:
            lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
            self._known = {str(json.loads(line)["event_id"]) for line in lines if line}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RewriterError(f"feedback log {path}: cannot be read ({error})") from error

    def record(self, event: dict[str, Any]) -> bool:
        """Keep an event; it is on disk when this returns. False if its ``event_id`` is known."""
        with self._lock:
            if event["event_id"] in self._known:
                return False
            line = event | {"received": datetime.now(UTC).isoformat(timespec="milliseconds")}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self._path, json.dumps(line, sort_keys=True, ensure_ascii=False).encode())
            self._known.add(event["event_id"])
            return True
