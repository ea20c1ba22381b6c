"""The log of what the service decided: JSON lines by UTC day, read back as the table `decisions`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from rewriter.errors import RewriterError
from schemas.tables import DECISIONS


def file_of(at: datetime) -> str:
    """Name, within the log's folder, of the file that holds decisions of this instant.

    >>> file_of(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    'day=2026-03-01/decisions-23.jsonl'
    """
    return f"day={at.year:04d}-{at.month:02d}-{at.day:02d}/decisions-{at.hour:02d}.jsonl"


def _row(line: bytes) -> dict[str, Any] | None:
    """One decision; None for a line that a crash cut short."""
    try:
        row = json.loads(line)
        row["at"] = datetime.fromisoformat(row["at"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return None
    values: dict[str, Any] = row
    return values


def read_decisions(folder: Path) -> pa.Table:
    """Every decision below a folder, in the order of the files, the last answer of each ``request_id`` alone.

    Lines that a crash cut short are left out: at most one a file and crash.

    Raises
    ------
    RewriterError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise RewriterError(f"no decision log at {folder}")
    rows: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("day=*/decisions-*.jsonl")):
        for line in file.read_bytes().splitlines():
            if (row := _row(line)) is not None:
                rows[row["request_id"]] = row
    return pa.Table.from_pylist(list(rows.values()), schema=DECISIONS.schema)
