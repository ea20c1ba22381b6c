"""Reading tables by contract and writing folders that are whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from rewriter.errors import RewriterError
from rewriter.parquet import parquet_files
from schemas.spark import spark_schema
from schemas.table import ContractError, Table, conform, require_schema


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that replaces ``out`` when the block ends, and vanishes if it fails.

    A process killed inside the block leaves ``out`` as it was.

    Raises
    ------
    RewriterError
        If ``out`` is a file, or holds the folder one stands in, which must not be replaced.
    """
    out, here = Path(out), Path.cwd()
    if out.exists() and not out.is_dir():
        raise RewriterError(f"{out}: not a folder")
    if out.resolve() in (here, *here.parents):
        raise RewriterError(f"{out}: would replace the folder you are in; name a folder inside it")
    writing, old = out.with_name(out.name + ".writing"), out.with_name(out.name + ".old")
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (writing, old):
        shutil.rmtree(leftover, ignore_errors=True)
    writing.mkdir()
    try:
        yield writing
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise
    if out.exists():
        out.replace(old)
    writing.replace(out)
    shutil.rmtree(old, ignore_errors=True)


def check_files(path: Path, table: Table) -> int:
    """How many rows the files of a table hold, once each has been found to keep the contract.

    Raises
    ------
    RewriterError
        If a file cannot be read.
    ContractError
        With every fault of the first file that breaks the contract.
    """
    return sum(file.rows for file in _read_footers(path, table))


@dataclass(frozen=True)
class _Footer:
    """A file that keeps the contract, its rows, and its columns without a type of use, as those of nulls alone."""

    file: Path
    rows: int
    untyped: frozenset[str]


def _null_faults(table: Table, metadata: pq.FileMetaData) -> list[str]:
    """Required columns that hold nulls, as far as the file's statistics tell."""
    nulls = dict.fromkeys(table.required, 0)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema in nulls and chunk.statistics is not None and chunk.statistics.has_null_count:
                nulls[chunk.path_in_schema] += chunk.statistics.null_count
    return [f"{name} holds {n} null(s)" for name, n in nulls.items() if n]


def _read_footers(path: Path, table: Table) -> list[_Footer]:
    footers = []
    for file in parquet_files(path):
        try:
            metadata = pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            raise RewriterError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
        schema = metadata.schema.to_arrow_schema()
        require_schema(table, schema, str(file))
        untyped = {f.name for f in schema if pa.types.is_null(f.type)}
        faults = _null_faults(table, metadata)
        if metadata.num_rows:
            faults += [f"{name} has no type, only nulls" for name in table.required if name in untyped]
        if faults:
            raise ContractError(f"table '{table.name}' in {file}: " + "; ".join(faults))
        if "day" in schema.names and not pa.types.is_string(schema.field("day").type):
            untyped.add("day")
        footers.append(_Footer(file, metadata.num_rows, frozenset(untyped)))
    return footers


def _day_column(frame: DataFrame) -> Column:
    named = F.col("day").cast("string") if "day" in frame.columns else F.lit(None).cast("string")
    return F.coalesce(named, F.date_format("at", "yyyy-MM-dd")) if "at" in frame.columns else named


def _whole(frame: DataFrame, table: Table) -> DataFrame:
    """The contract's columns of a frame, null where absent, and ``day`` where the table is partitioned by it."""
    columns = [
        (F.col(f.name) if f.name in frame.columns else F.lit(None)).cast(f.dataType).alias(f.name)
        for f in spark_schema(table)
    ]
    if "day" in table.partitions:
        columns.append(_day_column(frame).alias("day"))
    return frame.select(*columns)


def read_table(spark: SparkSession, path: Path | str, table: Table) -> DataFrame:
    """The table at ``path`` (a folder or one Parquet file) with the contract's columns, absent optional ones null.

    Tables partitioned by day also have the column ``day`` (string, ``YYYY-MM-DD``; null in a single file without ``at``).

    Raises
    ------
    RewriterError
        If there is nothing to read.
    ContractError
        Naming every column of the file that breaks the contract.
    """
    path = Path(path)
    groups: dict[frozenset[str], list[str]] = {}
    for footer in _read_footers(path, table):
        groups.setdefault(footer.untyped, []).append(str(footer.file))
    # The contract is the schema: by itself Spark takes one file's, and loses the columns that only others have.
    fields = [*spark_schema(table), *(StructField(name, StringType()) for name in table.partitions)]
    frames = []
    for untyped, files in groups.items():
        reader = spark.read.schema(StructType([f for f in fields if f.name not in untyped]))
        if path.is_dir():
            reader = reader.option("basePath", str(path))
        frames.append(_whole(reader.parquet(*([str(path)] if len(groups) == 1 else files)), table))
    return reduce(DataFrame.unionByName, frames)


def write_table(frame: DataFrame, out: Path | str, table: Table, files: int = 2) -> None:
    """Write the frame's contract columns to the folder ``out``, whole or not at all, one folder a partition value.

    ``files`` is the most files a partition value gets.
    """
    names = [f.name for f in table.schema] + [p for p in table.partitions if p not in table.schema.names]
    data = frame.select(*names)
    with whole_folder(Path(out)) as folder:
        if table.partitions:
            salt = F.pmod(F.xxhash64(*table.key), F.lit(files))
            writer = data.repartition(*table.partitions, salt).write.partitionBy(*table.partitions)
        else:
            writer = data.coalesce(files).write
        # Spark refuses an existing folder; the new one is inside the one that will be renamed.
        writer.mode("append").parquet(str(folder))


def write_arrow(data: pa.Table, out: Path | str, table: Table) -> None:
    """Write a small table, sorted by its key, as one Parquet file in the folder ``out``: same rows, same bytes."""
    whole = conform(table, data)
    if whole.num_rows:
        whole = whole.sort_by([(name, "ascending") for name in table.key])
    with whole_folder(Path(out)) as folder:
        pq.write_table(whole, folder / "part-00000.parquet")


def read_arrow(path: Path | str, table: Table) -> pa.Table:
    """A small table with exactly the contract's columns, sorted by its key."""
    files = parquet_files(Path(path))
    whole = pa.concat_tables([conform(table, pq.read_table(f, partitioning=None), str(f)) for f in files])
    return whole.sort_by([(name, "ascending") for name in table.key])
