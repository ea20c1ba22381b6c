"""Judge each turn: the probability that it failed, and the named signals that say so.

Rules alone without --model; with it, the model of train_defects, below which explicit signals never fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.dialogue import neighbours
from jobs.session import spark_session
from jobs.storage import read_table, write_table
from rewriter.defects.rules import rule_probability
from rewriter.defects.signals import find_signals, signal_names
from rewriter.settings import Defects, read_settings
from schemas.tables import DEFECTS, TURNS

_OUT = pa.schema([*DEFECTS.schema, pa.field("day", pa.string())])
_DDL = "turn_id string, defect float, defective boolean, failure_point string, signals array<string>, day string"


def _rule_labeller(settings: Defects, has_intents: bool) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def label(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for view in batches:
            signals = find_signals(view, settings, has_intents)
            yield _labels(view, rule_probability(view, signals), signal_names(signals), settings.threshold)

    return label


def _labels(view: pa.RecordBatch, defect: Any, signals: list[list[str]], threshold: float) -> pa.RecordBatch:
    rounded = np.asarray(defect, dtype=np.float32)
    columns = [
        view.column("turn_id"),
        pa.array(rounded, pa.float32()),
        pa.array(rounded >= threshold),
        pa.nulls(view.num_rows, pa.string()),
        pa.array(signals, pa.list_(pa.string())),
        view.column("day"),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_OUT)


def has_intents(turns: DataFrame) -> bool:
    """Whether the log records intents."""
    return bool(turns.where(F.col("intent").isNotNull()).head(1))


def label(turns: DataFrame, settings: Any) -> DataFrame:
    """The table `defects` of the turns, by rules alone."""
    view = neighbours(turns, settings.sessions.max_gap_s)
    return view.mapInArrow(_rule_labeller(settings.defects, has_intents(turns)), _DDL)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the table `defects`; returns how many turns were read and how many failed."""
    parser = job_parser("label_defects", __doc__, "--turns log/turns --out warehouse/tables/defects")
    parser.add_argument("--turns", type=Path, required=True, help="folder or Parquet file of turns")
    parser.add_argument("--model", type=Path, help="folder of train_defects; without it, rules alone")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    spark = spark_session()
    write_table(label(read_table(spark, args.turns, TURNS), settings), args.out, DEFECTS)
    written = spark.read.parquet(str(args.out))
    row = written.agg(F.count("*"), F.count_if("defective")).first()
    counts = {"turns": int(row[0]), "defective": int(row[1])} if row else {}
    print(f"{counts['turns']:,} turns, {counts['defective']:,} judged defective")
    return counts


if __name__ == "__main__":
    run_main(main)
