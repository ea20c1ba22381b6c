"""Files of a table, and their rows, with pyarrow's Parquet reader alone: its datasets would load pandas too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.errors import RewriterError


def parquet_files(path: Path) -> list[Path]:
    """Parquet files of a table: the file itself, or all below a folder, sorted; hidden and underscored ones are left out.

    Raises
    ------
    RewriterError
        If the path does not exist, or holds no Parquet file.
    """
    if not path.exists():
        raise RewriterError(f"no such file or folder: {path}")
    if path.is_file():
        return [path]
    files = sorted(path.rglob("*.parquet"))
    files = [f for f in files if not any(part.startswith((".", "_")) for part in f.relative_to(path).parts)]
    if not files:
        raise RewriterError(f"no Parquet files below {path}")
    return files


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a table's files, one after another; only the columns asked for.

    Raises
    ------
    RewriterError
        If there is no file, or one cannot be read or differs from the others.
    """
    parts = []
    for file in parquet_files(path):
        try:
            parts.append(pq.ParquetFile(file).read(columns=list(columns) if columns is not None else None))
        except (OSError, pa.ArrowInvalid) as error:
            raise RewriterError(f"{file}: cannot be read ({str(error).splitlines()[0]})") from error
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RewriterError(f"{path}: files differ in their columns ({str(error).splitlines()[0]})") from error
