"""Judge each turn: the probability that it failed, and the named signals that say so.

Rules alone without --model; with it, the model of train_defects. What the assistant or the user stated outright stands.
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
from jobs.days import select_days
from jobs.defect_evidence import evidence, with_wording
from jobs.session import spark_session
from jobs.storage import read_table, write_table
from rewriter.config import read_settings
from rewriter.defects.features import FEATURES, history_columns, with_history
from rewriter.defects.model import VARIANTS, DefectModel, load_model
from rewriter.settings import Settings
from schemas.tables import DEFECTS, TURNS

_OUT = pa.schema([*DEFECTS.schema, pa.field("day", pa.string())])
_DDL = "turn_id string, defect float, defective boolean, failure_point string, signals array<string>, day string"


def model_features(rows: pa.RecordBatch, base_rate: float) -> np.ndarray:
    """Features of evidence rows with the history of their wording, shape (n, len(FEATURES))."""
    flat = np.asarray(rows.column("features").flatten(), dtype=np.float32)
    strong = np.asarray(rows.column("strong"), dtype=bool)
    same, strong_same = (np.asarray(rows.column(name)) for name in ("n_same", "n_strong"))
    history = history_columns(strong, same, strong_same, base_rate)
    return with_history(flat.reshape(rows.num_rows, len(FEATURES)), history)


def _labels(rows: pa.RecordBatch, probability: np.ndarray, threshold: float) -> pa.RecordBatch:
    defect = probability.astype(np.float32)
    columns = [
        rows.column("turn_id"),
        pa.array(defect, pa.float32()),
        pa.array(defect >= threshold),
        pa.nulls(rows.num_rows, pa.string()),
        rows.column("signals"),
        rows.column("day"),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_OUT)


def _worker(
    model: DefectModel | None, threshold: float, variant: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def judge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in batches:
            probability = np.asarray(rows.column("rules"))
            if model is not None and model.kind != "rules":
                lost = np.asarray(rows.column("lost"), dtype=bool)
                least, most = (np.asarray(rows.column(name)) for name in ("least", "most"))
                probability = model.probability(model_features(rows, model.base_rate), lost, least, most, variant)
            yield _labels(rows, probability, threshold)

    return judge


def judge(rows: DataFrame, settings: Settings, model: DefectModel | None = None, variant: str = "offline") -> DataFrame:
    """The table `defects`, with ``day``, from the turns' evidence (`jobs.defect_evidence.evidence`)."""
    if model is not None and model.kind != "rules":
        # Later days must not tell the days that teach how their wordings will fare.
        rows = with_wording(rows, select_days(rows, "fit", settings.evaluate.heldout_share))
    return rows.mapInArrow(_worker(model, settings.defects.threshold, variant), _DDL)


def label(turns: DataFrame, settings: Settings) -> DataFrame:
    """The table `defects` of the turns, with ``day``, by rules alone."""
    return judge(evidence(turns, settings), settings)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the table `defects`; returns how many turns were read and how many failed."""
    parser = job_parser("label_defects", __doc__, "--turns log/turns --out warehouse/tables/defects")
    parser.add_argument("--turns", type=Path, required=True, help="folder or Parquet file of turns")
    parser.add_argument("--model", type=Path, help="folder of train_defects; without it, rules alone")
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        default=VARIANTS[0],
        help="runtime: look at nothing after the request (default offline)",
    )
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    model = load_model(args.model) if args.model else None
    spark = spark_session()
    # Kept, because the history of wordings reads it a second time.
    rows = evidence(read_table(spark, args.turns, TURNS), settings, args.model).persist()
    write_table(judge(rows, settings, model, args.variant), args.out, DEFECTS)
    rows.unpersist()
    row = spark.read.parquet(str(args.out)).agg(F.count("*"), F.count_if("defective")).first()
    counts = {"turns": int(row[0]), "defective": int(row[1]), "judged_by": model.kind if model else "rules"} if row else {}
    print(f"{counts['turns']:,} turns, {counts['defective']:,} judged defective by {counts['judged_by']}")
    return counts


if __name__ == "__main__":
    run_main(main)
