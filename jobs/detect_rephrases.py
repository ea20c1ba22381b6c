"""Find, for each turn, the later turn that says the same again, with the span model of train_rephrase.

Writes the table `rephrases`: one row a turn, the best candidate and its probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.command import job_parser, run_main
from jobs.session import spark_session
from jobs.storage import read_table, write_table
from rewriter.config import read_settings
from rewriter.rephrase.decision import read_decision
from rewriter.rephrase.detector import SpanDetector
from rewriter.rephrase.log import COLUMNS, read_log
from schemas.table import day_of
from schemas.tables import DEFECTS, REPHRASES, TURNS

_OUT = pa.schema([*REPHRASES.schema, pa.field("day", pa.string())])
_DDL = "turn_id string, rephrase_turn_id string, probability float, gap_s float, model_version string, day string"
_ORDER = ("user_id", "at", "turn_index", "turn_id")
#: Users are put together up to so many turns before the model runs: enough for batches of similar length.
_TURNS_A_CALL = 8192


def turns_with_defects(spark: SparkSession, turns: Path, defects: Path | None) -> DataFrame:
    """The columns of turns that rephrases are judged from, ``day``, and ``defect`` where that table is given."""
    frame = read_table(spark, turns, TURNS).select(*COLUMNS, "day")
    if defects is None:
        return frame
    judged = read_table(spark, defects, DEFECTS).select("turn_id", "defect")
    return frame.join(judged, "turn_id", "left")


def detect_table(detector: SpanDetector, turns: pa.Table, max_gap_s: float) -> pa.Table:
    """The rows of `rephrases`, with their ``day``, for turns that hold every turn of their users."""
    log, ordered = read_log(turns, detector.decision.window_turns, max_gap_s, detector.decision.records)
    found = detector.detect(log)
    has_turn = found.turn > 0
    later = np.where(has_turn, np.arange(len(log)) + found.turn, 0)
    ids = ordered["turn_id"].combine_chunks()
    gap = log.at_s[later] - log.at_s if len(log) else np.zeros(0)
    columns = [
        ids,
        ids.take(pa.array(later, mask=~has_turn)),
        pa.array(found.probability.astype(np.float32)),
        pa.array(gap.astype(np.float32), mask=~has_turn),
        pa.array([detector.decision.model_version] * len(log), pa.string()),
        day_of(ordered["at"]).combine_chunks(),
    ]
    return pa.table([c.cast(f.type) for c, f in zip(columns, _OUT, strict=True)], schema=_OUT)


def whole_users(batches: Iterator[pa.RecordBatch], turns_a_call: int = _TURNS_A_CALL) -> Iterator[pa.Table]:
    """Tables of whole users from batches ordered by user: the last user of a batch waits for the next one."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        if sum(b.num_rows for b in waiting) < turns_a_call:
            continue
        held = pa.Table.from_batches(waiting)
        last = held["user_id"][-1]
        first_of_last = pc.index(held["user_id"], last).as_py()
        if first_of_last:
            yield held.slice(0, first_of_last)
        waiting = held.slice(first_of_last).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def _detect(model: str, max_gap_s: float) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        detector: SpanDetector | None = None
        for turns in whole_users(batches):
            # A task without rows loads no model.
            detector = detector or SpanDetector(model, threads=1)
            yield from detect_table(detector, turns, max_gap_s).to_batches()

    return run


def detect(turns: DataFrame, model: Path, max_gap_s: float) -> DataFrame:
    """The table `rephrases` of the turns (see `turns_with_defects`), with ``day``."""
    by_user = turns.drop("day").repartition("user_id").sortWithinPartitions(*_ORDER)
    return by_user.mapInArrow(_detect(str(model.resolve()), max_gap_s), _DDL)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the table `rephrases`; returns how many turns were read and how many have a likely rephrase."""
    parser = job_parser(
        "detect_rephrases", __doc__, "--turns log/turns --model wh/models/rephrase --out wh/tables/rephrases"
    )
    parser.add_argument("--turns", type=Path, required=True, help="folder or Parquet file of turns")
    parser.add_argument("--model", type=Path, required=True, help="folder of train_rephrase")
    parser.add_argument("--defects", type=Path, help="table of label_defects; without it, a rule on each turn")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    decision = read_decision(args.model)
    SpanDetector(args.model)  # a broken model is one clear line here, not a failed task
    spark = spark_session()
    turns = turns_with_defects(spark, args.turns, args.defects)
    write_table(detect(turns, args.model, settings.sessions.max_gap_s), args.out, REPHRASES)
    row = (
        spark.read.parquet(str(args.out))
        .agg(
            F.count("*"),
            F.count("rephrase_turn_id"),
            F.count_if(F.col("probability") >= F.lit(decision.threshold)),
        )
        .first()
    )
    counts = dict(zip(("turns", "with_candidate", "rephrased"), map(int, row or (0, 0, 0)), strict=True))
    print(f"detect_rephrases: {counts['turns']:,} turns, {counts['rephrased']:,} likely rephrased", flush=True)
    return counts


if __name__ == "__main__":
    run_main(main)
