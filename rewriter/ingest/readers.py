"""Foreign logs in chunks of rows: JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.errors import RewriterError

CHUNK_ROWS = 20_000
FORMATS = ("jsonl", "csv", "parquet")
SUFFIXES = {
    "jsonl": (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz"),
    "csv": (".csv", ".csv.gz"),
    "parquet": (".parquet",),
}
MISSING = object()


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    ``rows`` are numbers of records from 1 (a CSV header is none); ``column(name)`` gives an Arrow array, or a list of
    values in which `MISSING` and None mean "not there"; ``raw(i)`` is row i as the file has it. ``broken`` lists records
    that could not be read at all: number, reason, content.
    """

    rows: list[int]
    column: Callable[[str], pa.Array | list[Any] | None]
    raw: Callable[[int], str]
    broken: list[tuple[int, str, str]]


def source_files(fmt: str, src: Path) -> list[Path]:
    """The file itself, or the files of the format below a folder, sorted.

    Raises
    ------
    RewriterError
        If there is no such file or folder, or none of the format in it.
    """
    if not src.exists():
        raise RewriterError(f"no such file or folder: {src}")
    if src.is_file():
        return [src]
    files = sorted(p for p in src.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES[fmt]))
    if not files:
        raise RewriterError(f"no {fmt} files below {src} (looked for {', '.join(SUFFIXES[fmt])})")
    return files


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if its name ends in ``.gz``.

    Raises
    ------
    RewriterError
        Naming the file, if it is not a whole gzip file.
    """
    if path.suffix != ".gz":
        with path.open("rb") as file:
            yield file
        return
    try:
        with gzip.open(path, "rb") as unpacked:
            yield unpacked  # type: ignore[misc]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RewriterError(f"{path.name}: not a whole gzip file ({error})") from error


def _by_path(record: dict[str, Any], path: str) -> Any:
    if path in record:
        return record[path]
    value: Any = record
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _jsonl_chunk(numbered: list[tuple[int, bytes]]) -> Chunk:
    rows, records, raws, broken = [], [], [], []
    for number, line in numbered:
        try:
            record = orjson.loads(line)
        except ValueError as error:
            broken.append((number, f"broken JSON: {error}", _text(line)))
            continue
        if not isinstance(record, dict):
            broken.append((number, "not a JSON object", _text(line)))
            continue
        rows.append(number)
        records.append(record)
        raws.append(line)
    return Chunk(rows, lambda name: [_by_path(r, name) for r in records], lambda i: _text(raws[i]), broken)


def read_jsonl(path: Path) -> Iterator[Chunk]:
    """Chunks of a file with one JSON object a line; blank lines are skipped, dots in names lead into objects."""
    with _open(path) as file:
        lines = ((n, line.strip()) for n, line in enumerate(file, 1))
        filled = ((n, line) for n, line in lines if line)
        while numbered := list(islice(filled, CHUNK_ROWS)):
            yield _jsonl_chunk(numbered)


def _csv_line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _csv_fault(cells: list[str], width: int) -> str:
    if len(cells) != width:
        return f"{len(cells)} fields, the header has {width}"
    return "" if all(cell.isascii() or _is_utf8(cell) for cell in cells) else "not UTF-8"


def _is_utf8(cell: str) -> bool:
    return not any("\udc80" <= c <= "\udcff" for c in cell)


def _csv_chunk(header: list[str], numbered: list[tuple[int, list[str]]]) -> Chunk:
    rows, records, broken = [], [], []
    for number, cells in numbered:
        if fault := _csv_fault(cells, len(header)):
            broken.append((number, fault, _csv_line(cells)))
        else:
            rows.append(number)
            records.append(cells)
    places = {name: i for i, name in enumerate(header)}

    def column(name: str) -> list[Any] | None:
        if name not in places:
            return None
        return [record[places[name]] or None for record in records]

    return Chunk(rows, column, lambda i: _csv_line(records[i]), broken)


def read_csv(path: Path) -> Iterator[Chunk]:
    """Chunks of a comma-separated file with a header; an empty field is null.

    Raises
    ------
    RewriterError
        If there is no header, or a quote that never ends.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with _open(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            numbered = ((n, cells) for n, cells in enumerate(reader, 1) if cells)
            while some := list(islice(numbered, CHUNK_ROWS)):
                yield _csv_chunk(header, some)
        except csv.Error as error:
            raise RewriterError(f"{path}: line {reader.line_num} is not CSV ({error})") from error


def csv_header(path: Path) -> list[str]:
    """Column names of a CSV file."""
    with _open(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", errors="surrogateescape", newline="") as file:
        return [name.strip() for name in next(csv.reader(file), [])]


def parquet_schema(path: Path) -> pa.Schema:
    """Schema of a Parquet file.

    Raises
    ------
    RewriterError
        If the file is not Parquet.
    """
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise RewriterError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from error


def _parquet_chunk(batch: pa.RecordBatch, first: int) -> Chunk:
    def column(name: str) -> pa.Array | None:
        if name in batch.schema.names:
            return batch.column(name)
        head, *rest = name.split(".")
        if not rest or head not in batch.schema.names:
            return None
        return [MISSING if r is None else _by_path(r, ".".join(rest)) for r in batch.column(head).to_pylist()]

    def raw(i: int) -> str:
        return json.dumps(batch.slice(i, 1).to_pylist()[0], default=str, ensure_ascii=False)

    return Chunk(list(range(first, first + batch.num_rows)), column, raw, [])


def read_parquet(path: Path) -> Iterator[Chunk]:
    """Chunks of a Parquet file; dots in names lead into structs."""
    first = 1
    try:
        for batch in pq.ParquetFile(path).iter_batches(CHUNK_ROWS):
            yield _parquet_chunk(batch, first)
            first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise RewriterError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from error


READERS: dict[str, Callable[[Path], Iterator[Chunk]]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
}
