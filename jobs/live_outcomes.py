"""Win/loss of rewrites that were live: turns that got a rewrite against turns from which the same one was withheld."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from pyspark.sql import functions as F

from jobs.past_requests import Log
from jobs.session import spark_session
from jobs.storage import read_table
from rewriter.evaluation.win_loss import WinLoss, wilson
from schemas.tables import DEFECTS, TURNS

#: Turns of a layer from which rewrites were withheld; the failure rate of fewer says nothing.
MIN_WITHHELD = 30


def _net(n: int, failed: int, n_withheld: int, failed_withheld: int) -> tuple[int, int] | None:
    """Wins and losses of one rewrite: successes it gained or lost against the rate of the turns without it.

    None where the 95% interval of the difference between the two rates holds zero: chance gains and loses as well.

    References
    ----------
    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.

    >>> _net(100, 10, 50, 40), _net(970, 485, 30, 20)
    ((70, 0), None)
    """
    if not n or not n_withheld:
        return None
    served, withheld = failed / n, failed_withheld / n_withheld
    (served_low, served_high), (low, high) = wilson(failed, n), wilson(failed_withheld, n_withheld)
    gain = withheld - served
    surely_better = gain - math.hypot(withheld - low, served_high - served) > 0.0
    surely_worse = gain + math.hypot(high - withheld, served - served_low) < 0.0
    if not surely_better and not surely_worse:
        return None
    gained = round(n * withheld) - failed
    return max(0, min(gained, n)), max(0, min(-gained, n))


def live_rows(log: Log) -> list[dict[str, Any]]:
    """Rows of `win_loss` with basis live, by layer; empty if nothing was rewritten yet.

    A single turn cannot show what would have happened otherwise, so wins and losses are net counts of each rewrite whose
    two arms surely differ; the turns of all others, and of a layer with fewer than `MIN_WITHHELD` withheld ones, are
    undecided. Net counts are no trials: the limits of the ratio are 0 and null.
    """
    spark = spark_session()
    failed = read_table(spark, log.defects, DEFECTS).select("turn_id", "defective")
    decided = read_table(spark, log.turns, TURNS).where(F.col("rewrite.served").isNotNull())
    treated = F.col("rewrite.arm") == "treatment"
    groups = (
        decided.join(failed, "turn_id")
        .groupBy(F.col("rewrite.layer").alias("layer"), F.col("rewrite.rewrite_id").alias("name"))
        .agg(
            F.count_if(treated).alias("n"),
            F.count_if(treated & F.col("defective")).alias("failed"),
            F.count_if(~treated).alias("n_withheld"),
            F.count_if(~treated & F.col("defective")).alias("failed_withheld"),
        )
        .orderBy("layer", "name")
        .collect()
    )
    totals: dict[str, WinLoss] = {}
    withheld: Counter[str | None] = Counter()
    for row in groups:
        withheld[row["layer"]] += row["n_withheld"]
    for row in groups:
        net = _net(row["n"], row["failed"], row["n_withheld"], row["failed_withheld"])
        is_decided = net is not None and withheld[row["layer"]] >= MIN_WITHHELD
        wins, losses = net if net is not None and is_decided else (0, 0)
        undecided = 0 if is_decided else row["n"]
        one = WinLoss(row["n"] + row["n_withheld"], row["n"], wins, losses, row["n"] - wins - losses - undecided, undecided)
        for layer in (row["layer"] or "unknown", "all"):
            totals[layer] = totals[layer] + one if layer in totals else one
    unknown = {"ratio_low": 0.0, "ratio_high": None}
    return [totals[layer].row("live", layer) | unknown for layer in sorted(totals)]
