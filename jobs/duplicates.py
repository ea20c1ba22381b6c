"""Rows of a table that are there twice: found before any job counts them twice, in eight bytes a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.ingest.store import hashes
from rewriter.parquet import parquet_files

_BATCH_ROWS = 65_536
#: Equal hashes that are looked into: of so many, not all belong to different ids.
_MOST_DOUBTFUL = 1000


def _ids(path: Path, column: str) -> Iterator[tuple[Path, pa.Array]]:
    for file in parquet_files(path):
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_BATCH_ROWS, columns=[column]):
                yield file, batch.column(0).drop_null()


def _doubtful(path: Path, column: str, n_rows: int) -> NDArray[np.uint64]:
    """Hashes that occur more than once, the smallest ones."""
    found, n = np.empty(n_rows, np.uint64), 0
    for _, ids in _ids(path, column):
        found[n : n + len(ids)] = hashes(ids)
        n += len(ids)
    found = found[:n]
    found.sort()
    return np.unique(found[1:][found[1:] == found[:-1]])[:_MOST_DOUBTFUL]


def require_unique(path: Path, column: str, n_rows: int) -> None:
    """Return if no value of a text column occurs twice in the ``n_rows`` rows of the table's files; nulls are left out.

    Only 64-bit hashes of all values are held in memory.

    Raises
    ------
    RewriterError
        Naming one value that does, how often, and its files.
    """
    doubtful = _doubtful(path, column, n_rows)
    if not len(doubtful):
        return
    found: dict[str, list[Path]] = {}
    for file, ids in _ids(path, column):
        for value in ids.filter(pa.array(np.isin(hashes(ids), doubtful))).to_pylist():
            found.setdefault(value, []).append(file)
    twice = sorted(value for value, files in found.items() if len(files) > 1)
    if twice:
        files = found[twice[0]]
        named = ", ".join(map(str, sorted(set(files))[:5]))
        raise RewriterError(f"{column} '{twice[0]}' is there {len(files)} times, in {named}; each must be there once")
