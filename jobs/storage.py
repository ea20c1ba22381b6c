"""Reading tables by contract and writing folders that are whole or absent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from rewriter.errors import RewriterError
from rewriter.parquet import parquet_files
from schemas.spark import spark_schema
from schemas.table import Table, conform, require_schema


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
    rows = 0
    for file in parquet_files(path):
        try:
            metadata = pq.read_metadata(file)
        except (OSError, pa.ArrowException) as error:
            raise RewriterError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
        require_schema(table, metadata.schema.to_arrow_schema(), str(file))
        rows += metadata.num_rows
    return rows


def _day_column(frame: DataFrame) -> Column:
    if "day" in frame.columns:
        return F.col("day").cast("string")
    return F.date_format("at", "yyyy-MM-dd") if "at" in frame.columns else F.lit(None).cast("string")


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
    check_files(path, table)
    frame = spark.read.parquet(str(path))
    schema = spark_schema(table)
    columns = [
        F.col(f.name).cast(f.dataType).alias(f.name)
        if f.name in frame.columns
        else F.lit(None).cast(f.dataType).alias(f.name)
        for f in schema
    ]
    if "day" in table.partitions:
        columns.append(_day_column(frame).alias("day"))
    return frame.select(*columns)


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
