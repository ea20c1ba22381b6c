"""Entries of the indexes: requests that succeeded, with what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.tables import INDEX_ENTRIES


@dataclass(frozen=True)
class Entry:
    """One row of ``index_entries``: a request that succeeded more often than it failed.

    ``utterance`` is normalised; ``domain``, ``intent`` and ``slots`` are what NLU mostly read when it succeeded;
    ``last_seen`` is the last success, seconds since the epoch (UTC).
    """

    utterance: str
    locale: str
    domain: str | None = None
    intent: str | None = None
    slots: Mapping[str, str] = field(default_factory=dict, hash=False)
    n_success: int = 1
    n_defect: int = 0
    n_users: int = 1
    last_seen: float = 0.0


class Hit(NamedTuple):
    """An entry found by a search, with its inner product with the query (1 = same direction)."""

    entry: Entry
    score: float


def seconds(at: dt.datetime) -> float:
    """Seconds since the epoch of an instant.

    >>> seconds(dt.datetime(1970, 1, 2, tzinfo=dt.UTC))
    86400.0
    """
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(seconds=1)


def entry_of(row: Mapping[str, Any]) -> Entry:
    """The entry of one row of ``index_entries`` as Arrow gives it (maps as pairs, instants as datetimes)."""
    last_seen = row["last_seen"]
    return Entry(
        utterance=row["utterance"],
        locale=row["locale"],
        domain=row["domain"],
        intent=row["intent"],
        slots=dict(row["slots"] or ()),
        n_success=row["n_success"],
        n_defect=row["n_defect"],
        n_users=row["n_users"],
        last_seen=0.0 if last_seen is None else seconds(last_seen),
    )


def entries_of(table: pa.Table) -> Iterator[Entry]:
    """The entries of an ``index_entries`` table, row by row."""
    return (entry_of(row) for row in table.to_pylist())


def table_of(entries: Sequence[Entry], scope: str = "global") -> pa.Table:
    """An ``index_entries`` table of the entries, in their order."""
    rows = [
        {
            "scope": scope,
            "locale": e.locale,
            "utterance": e.utterance,
            "domain": e.domain,
            "intent": e.intent,
            "slots": sorted(e.slots.items()),
            "n_success": e.n_success,
            "n_defect": e.n_defect,
            "n_users": e.n_users,
            "last_seen": dt.datetime.fromtimestamp(e.last_seen, dt.UTC),
        }
        for e in entries
    ]
    return pa.Table.from_pylist(rows, schema=INDEX_ENTRIES.schema)
