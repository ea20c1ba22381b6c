"""Turns, defects and an encoder to the personal index: each user's own successful requests, and their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.days import select_days
from jobs.entries import personal_entries, requests, usage
from jobs.session import spark_session
from jobs.storage import read_table, whole_folder
from jobs.vectors import collect_sorted, take_vectors, with_vectors
from rewriter.config import read_settings
from rewriter.parquet import parquet_files
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.entries import entry_of
from rewriter.retrieval.page import PersonalEntries
from rewriter.retrieval.personal_index import write_store
from schemas.tables import DEFECTS, TURNS

EXAMPLE = "--turns log/turns --defects out/tables/defects --encoder out/models/encoder --out out/indexes/personal"
_BATCH = 1 << 16


def pages(files: Sequence[Path], texts: pa.Array, vectors: NDArray[np.float32]) -> Iterator[tuple[str, PersonalEntries]]:
    """Each user with the entries of the sorted files; ``vectors[i]`` belongs to ``texts[i]``.

    A user's rows may go on in the next batch or file.
    """
    user: str | None = None
    rows: list[dict[str, Any]] = []
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(_BATCH):
            known = pc.index_in(batch.column("utterance"), value_set=texts)
            for row in batch.append_column("at", known).to_pylist():
                if row["scope"] != user and user is not None:
                    yield user, _page(rows, vectors)
                    rows = []
                user = row["scope"]
                rows.append(row)
    if user is not None:
        yield user, _page(rows, vectors)


def _page(rows: list[dict[str, Any]], vectors: NDArray[np.float32]) -> PersonalEntries:
    return PersonalEntries.of([entry_of(row) for row in rows], vectors[[row["at"] for row in rows]])


def _entries(turns: DataFrame, defects: DataFrame, settings: Any) -> DataFrame:
    newest = turns.agg(F.max("at")).first()
    used = usage(requests(turns, defects, settings.retrieval.max_defect))
    kept = settings.personal
    return personal_entries(used, newest[0] if newest else None, kept.max_entries, kept.max_age_days)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write ``data.mdb`` and ``personal.json``; returns the counts."""
    parser = job_parser("build_personal", __doc__, EXAMPLE, days=True)
    parser.add_argument("--turns", type=Path, required=True, help="turns: a folder or one Parquet file")
    parser.add_argument("--defects", type=Path, required=True, help="defects of the turns")
    parser.add_argument("--encoder", type=Path, required=True, help="the model of train_encoder")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    encoder = OnnxEncoder(args.encoder)
    spark = spark_session()
    turns = select_days(read_table(spark, args.turns, TURNS), args.days, settings.evaluate.heldout_share)
    entries = _entries(turns, read_table(spark, args.defects, DEFECTS), settings)
    with whole_folder(args.out) as folder, TemporaryDirectory(dir=folder) as scratch:
        order = ("scope", "locale", "utterance")
        entries.orderBy(*order).write.parquet(str(Path(scratch, "entries")))
        distinct = spark.read.parquet(str(Path(scratch, "entries"))).select("utterance").distinct()
        texts = collect_sorted(with_vectors(distinct, args.encoder), ("utterance",), Path(scratch, "vectors"))
        users = pages(
            parquet_files(Path(scratch, "entries")),
            texts.column("utterance").combine_chunks(),
            take_vectors(texts, encoder.dim),
        )
        card = write_store(folder, users, encoder.dim, encoder.version)
    return {"users": card["n_users"], "entries": card["n_entries"], "utterances": texts.num_rows}


if __name__ == "__main__":
    run_main(main)
