"""Encoding the utterances of a frame on Spark's workers, and reading the result in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql.types import BinaryType, StructField, StructType

from rewriter.parquet import parquet_files

_ROWS = 512  # texts encoded at a time by a worker


def _encoding(folder: str, position: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def encode(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from rewriter.retrieval.encoder import OnnxEncoder

        encoder = OnnxEncoder(folder)
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS):
                rows = batch.slice(start, _ROWS)
                vectors = encoder.encode(rows.column(position).to_pylist())
                packed = pa.array([v.tobytes() for v in vectors], pa.binary())
                yield pa.RecordBatch.from_arrays([*rows.columns, packed], [*rows.schema.names, "vector"])

    return encode


def with_vectors(frame: DataFrame, encoder: Path) -> DataFrame:
    """The frame with the column ``vector``: its ``utterance`` encoded, float32 little-endian bytes.

    A text's vector does not depend on its neighbours, so neither does it on Spark's partitions.
    """
    schema = StructType([*frame.schema.fields, StructField("vector", BinaryType())])
    workers = frame.sparkSession.sparkContext.defaultParallelism
    folder, position = str(Path(encoder).resolve()), frame.columns.index("utterance")
    return frame.repartition(workers, "utterance").mapInArrow(_encoding(folder, position), schema)


def collect_sorted(frame: DataFrame, keys: tuple[str, ...], scratch: Path) -> pa.Table:
    """All rows on the driver, sorted by ``keys``; they travel through Parquet, which has no limit of size."""
    frame.write.parquet(str(scratch))
    table = pa.concat_tables([pq.read_table(file) for file in parquet_files(scratch)])
    return table.sort_by([(key, "ascending") for key in keys])


def take_vectors(table: pa.Table, dim: int) -> NDArray[np.float32]:
    """The column ``vector`` as a matrix (n, dim)."""
    rows = table.column("vector")
    matrix = np.empty((len(rows), dim), np.float32)
    for i, value in enumerate(rows):
        matrix[i] = np.frombuffer(value.as_buffer(), "<f4")
    return matrix
