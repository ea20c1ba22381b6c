"""The counting step of the job alone, as it counts for given defects: what DuckDB's queries are compared with.

example: python -m benchmarks.mining.job_counting TURNS DEFECTS OUT
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import functions as F

from jobs.evidence import read_evidence
from jobs.rephrase_counts import counting_of, summed, tallies, user_turns
from rewriter.markov.tally import FORM
from rewriter.markov.visits import NO_SHIFTS
from rewriter.settings import Settings


def job_counts(turns: Path, defects: Path, out: Path, settings: Settings) -> int:
    """Write ``sums`` of all other kinds and the ``forms`` below ``out``; returns over how many days."""
    evidence = read_evidence(turns, defects, None, None, settings)
    counting, n_days = counting_of(evidence, settings), len(evidence.days)
    parts = tallies(user_turns(evidence, counting), counting, NO_SHIFTS).persist()
    summed(parts, n_days).write.parquet(str(out / "sums"))
    keys = ("source", "target", "locale", "text", "domain", "intent")
    forms = parts.where(F.col("kind") == FORM).groupBy(*keys).agg(F.sum("a").alias("a"), F.sum("b").alias("b"))
    forms.write.parquet(str(out / "forms"))
    parts.unpersist()
    return n_days


def main() -> None:
    """Count once; prints the seconds after Spark's start, and the rows of each kind."""
    from jobs.session import spark_session

    turns, defects, out = map(Path, sys.argv[1:])
    spark_session()
    begun = time.perf_counter()
    job_counts(turns, defects, out, Settings())
    seconds = round(time.perf_counter() - begun, 1)
    kinds = Counter(pq.read_table(out / "sums", columns=["kind"]).column("kind").to_pylist())
    print("COUNTS", json.dumps({"seconds": seconds, "rows": dict(sorted(kinds.items()))}))


if __name__ == "__main__":
    main()
