"""Imported turns on disk: staged day by day, then merged without duplicates."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from schemas.table import conform, day_of
from schemas.tables import QUARANTINE, TURNS

#: Staged rows carry where they come from: number of the file, of the record in it, and of the row in the whole import.
_STAGED = pa.schema([*TURNS.schema, ("_file", pa.int32()), ("_row", pa.int64()), ("_order", pa.int64())])
_FILE = "turns.parquet"


@dataclass
class Merged:
    """What a merge did; ``conflicts`` are rows (file, row, reason, content) whose turn_id already means another turn."""

    added: int = 0
    duplicates: int = 0
    days: list[str] = field(default_factory=list)
    conflicts: list[tuple[int, int, str, str]] = field(default_factory=list)


class Staging:
    """A folder of turns by day, kept aside until a whole import has been read."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.n_rows = 0
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, turns: pa.Table, file: int, rows: list[int]) -> None:
        """Append turns of one file with the numbers of their records."""
        n = turns.num_rows
        order = np.arange(self.n_rows, self.n_rows + n)
        table = pa.table(
            [*turns.columns, pa.array(np.full(n, file, np.int32)), pa.array(rows, pa.int64()), pa.array(order)],
            schema=_STAGED,
        )
        self.n_rows += n
        days = day_of(table.column("at"))
        for day in pc.unique(days).to_pylist():
            self._writer(day).write_table(table.filter(pc.equal(days, day)))

    def _writer(self, day: str) -> pq.ParquetWriter:
        if day not in self._writers:
            self._writers[day] = pq.ParquetWriter(self.folder / f"{day}.parquet", _STAGED)
        return self._writers[day]

    def close(self) -> list[str]:
        """Finish the files; returns the days, sorted."""
        for writer in self._writers.values():
            writer.close()
        return sorted(self._writers)

    def read(self, day: str, columns: list[str] | None = None) -> pa.Table:
        """Staged turns of a day in the order of the import."""
        return pq.ParquetFile(self.folder / f"{day}.parquet").read(columns=columns)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other imports out of a folder, which is made if absent; the lock ends with the process at the latest.

    Raises
    ------
    RewriterError
        If another import is at work there.
    """
    out.mkdir(parents=True, exist_ok=True)
    handle = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RewriterError(f"{out}: another import is writing there") from None
        yield
    finally:
        os.close(handle)


def day_files(turns: Path) -> dict[str, list[Path]]:
    """Parquet files of each day below a folder of turns."""
    folders = sorted(p for p in turns.glob("day=*") if p.is_dir())
    return {p.name.removeprefix("day="): sorted(p.glob("*.parquet")) for p in folders}


def _read_day(files: list[Path]) -> tuple[pa.Table, bool]:
    """Turns of a day, each id once, and whether they lie otherwise: in several files or with an id twice.

    A kill between writing the merged file and removing what it replaces leaves a day so; the merged file goes first.
    """
    ours_first = sorted(files, key=lambda f: f.name != _FILE)
    tables = [conform(TURNS, pq.ParquetFile(f).read(), str(f)) for f in ours_first]
    whole = pa.concat_tables(tables) if tables else TURNS.schema.empty_table()
    first: dict[str, int] = {}
    for i, turn in enumerate(whole.column("turn_id").to_pylist()):
        first.setdefault(turn, i)
    repeated = len(first) < whole.num_rows
    return whole.take(list(first.values())) if repeated else whole, repeated or len(files) > 1


def hashes(ids: pa.Array | pa.ChunkedArray) -> NDArray[np.uint64]:
    """64 bits of each text, the same in every process."""
    return pd.util.hash_array(ids.to_numpy(zero_copy_only=False), categorize=False)


def _ids_by_day(staging: Staging, days: list[str], existing: dict[str, list[Path]]) -> Iterator[tuple[str, int, pa.Table]]:
    """Ids of each day: (day, 0 = there before, 1 = staged, table with turn_id and _order)."""
    for day, files in existing.items():
        for file in files:
            ids = pq.ParquetFile(file).read(columns=["turn_id"])
            yield day, 0, ids.append_column("_order", pa.array(np.full(ids.num_rows, -1)))
    for day in days:
        yield day, 1, staging.read(day, ["turn_id", "_order"])


def _owners(staging: Staging, days: list[str], existing: dict[str, list[Path]]) -> dict[str, str]:
    """For each turn_id that occurs on several days, the day that keeps it: where it was before, else where it came first.

    Only 64-bit hashes of all ids are held in memory.
    """
    numbers = {day: i for i, day in enumerate(sorted({*days, *existing}))}
    parts = [(hashes(t.column("turn_id")), numbers[day]) for day, _, t in _ids_by_day(staging, days, existing)]
    if not parts:
        return {}
    hashed = np.concatenate([h for h, _ in parts])
    places = np.concatenate([np.full(len(h), n, np.int32) for h, n in parts])
    order = np.lexsort((places, hashed))
    hashed, places = hashed[order], places[order]
    doubtful = np.unique(hashed[1:][(hashed[1:] == hashed[:-1]) & (places[1:] != places[:-1])])
    found: dict[str, list[tuple[int, str]]] = {}
    if len(doubtful):
        for day, _, table in _ids_by_day(staging, days, existing):
            for row in table.filter(pa.array(np.isin(hashes(table.column("turn_id")), doubtful))).to_pylist():
                found.setdefault(row["turn_id"], []).append((row["_order"], day))
    return {turn: min(places_)[1] for turn, places_ in found.items() if len({d for _, d in places_}) > 1}


def _differs(a: pa.Table, b: pa.Table) -> NDArray[np.bool_]:
    """Rows in which two aligned tables of turns differ."""
    different = np.zeros(a.num_rows, dtype=bool)
    for name in TURNS.schema.names:
        x, y = a.column(name).combine_chunks(), b.column(name).combine_chunks()
        if not x.equals(y):
            different |= np.asarray([p != q for p, q in zip(x.to_pylist(), y.to_pylist(), strict=True)], dtype=bool)
    return different


def _merge_day(day: str, files: list[Path], staged: pa.Table, owners: dict[str, str], merged: Merged) -> pa.Table | None:
    """The day's turns with what is new, or None if nothing is and they lie as they should."""
    old, untidy = _read_day(files)
    first = {turn: i for i, turn in enumerate(old.column("turn_id").to_pylist())}
    fresh, again, refer = [], [], []
    elsewhere = []
    for i, turn in enumerate(staged.column("turn_id").to_pylist()):
        if owners.get(turn, day) != day:
            elsewhere.append(i)
        elif turn in first:
            again.append(i)
            refer.append(first[turn])
        else:
            first[turn] = old.num_rows + i
            fresh.append(i)
    new = staged.select(TURNS.schema.names)
    both = pa.concat_tables([old, new])
    other = _differs(new.take(again), both.take(refer)) if again else np.zeros(0, dtype=bool)
    clashing = sorted(elsewhere + [i for i, differs in zip(again, other, strict=True) if differs])
    merged.conflicts += [_conflict(staged.slice(i, 1)) for i in clashing]
    merged.duplicates += len(again) - int(other.sum())
    merged.added += len(fresh)
    if not fresh and not untidy:
        return None
    return (
        pa.concat_tables([old, new.take(pa.array(fresh, pa.int64()))])
        .combine_chunks()
        .sort_by([("at", "ascending"), ("turn_id", "ascending")])
    )


def _conflict(row: pa.Table) -> tuple[int, int, str, str]:
    values = row.to_pylist()[0]
    where = (values.pop("_file"), values.pop("_row"))
    values.pop("_order")
    content: dict[str, Any] = {k: v for k, v in values.items() if v is not None}
    reason = f"duplicated turn_id '{values['turn_id']}' with different content"
    return *where, reason, json.dumps(content, default=str, ensure_ascii=False)


def merge(staging: Staging, turns: Path) -> tuple[Merged, dict[Path, Path]]:
    """Merge staged turns with those below ``turns``: a turn that is there already is kept as it is.

    Returns what was done and the files to move into place, new file -> its place; nothing below ``turns`` is touched.
    """
    days, existing = staging.close(), day_files(turns)
    owners, merged, moves = _owners(staging, days, existing), Merged(), {}
    for day in sorted({*days, *(d for d, files in existing.items() if len(files) > 1)}):
        staged = staging.read(day) if day in days else _STAGED.empty_table()
        table = _merge_day(day, existing.get(day, []), staged, owners, merged)
        if table is not None:
            ready = staging.folder / f"{day}.ready"
            pq.write_table(table, ready)
            moves[ready] = turns / f"day={day}" / _FILE
            merged.days.append(day)
    return merged, moves


def move_into_place(moves: dict[Path, Path]) -> None:
    """Replace each day's files by the merged one; killed in between, the next import completes it."""
    for ready, place in moves.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        ready.replace(place)
        for old in place.parent.glob("*.parquet"):
            if old != place:
                old.unlink()


class Quarantine:
    """Rows that could not be used, written as they come, one Parquet file a source file."""

    def __init__(self, file: Path, source: str) -> None:
        self.file, self.source, self.n_rows = file, source, 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: list[tuple[int, list[str], str]]) -> None:
        """Append rows: number, reasons, content."""
        if not rows:
            return
        if self._writer is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.file, QUARANTINE.schema)
        numbers, reasons, raws = zip(*rows, strict=True)
        columns = [pa.array([self.source] * len(rows)), pa.array(numbers, pa.int64()), pa.array(reasons), pa.array(raws)]
        self._writer.write_table(
            pa.table([c.cast(f.type) for c, f in zip(columns, QUARANTINE.schema, strict=True)], schema=QUARANTINE.schema)
        )
        self.n_rows += len(rows)

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._writer is not None:
            self._writer.close()
