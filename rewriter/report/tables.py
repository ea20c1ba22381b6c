"""Tables of a warehouse as the report reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from rewriter.errors import RewriterError
from schemas.table import Table, require_schema

_BY_DAY = ds.partitioning(pa.schema([("day", pa.string())]), flavor="hive")


def read(folder: Path, table: Table) -> pa.Table | None:
    """The contract's columns of a table, and ``day`` where it is dated; None if the folder holds no such table.

    Raises
    ------
    ContractError
        If the files break the contract.
    RewriterError
        If they cannot be read.
    """
    files = sorted(p for p in folder.rglob("*.parquet") if not p.name.startswith((".", "_"))) if folder.is_dir() else []
    if not files:
        return None
    dated = "day" in table.partitions
    try:
        data = ds.dataset(files, format="parquet", partitioning=_BY_DAY if dated else None, partition_base_dir=str(folder))
        require_schema(table, data.schema, str(folder))
        names = [n for n in table.schema.names if n in data.schema.names] + (["day"] if dated else [])
        return data.to_table(columns=names)
    except (OSError, pa.ArrowException) as error:
        raise RewriterError(f"{folder}: cannot be read ({str(error).splitlines()[0]})") from error


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, None if there is no such file.

    Raises
    ------
    RewriterError
        If the file is there and not a JSON object.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RewriterError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise RewriterError(f"{path}: not a JSON object")
    return content


def count_by(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value occurs, most frequent first, then by name; null is "(none)"."""
    counts = pc.value_counts(column.fill_null("(none)")).to_pylist()
    return {c["values"]: c["counts"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))}
