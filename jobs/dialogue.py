"""Sessions of turns, and each turn beside its neighbours."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form
from jobs.turns import in_session
from rewriter.defects.view import VIEW


def _seconds(column: str) -> Column:
    return F.unix_micros(column) / F.lit(1e6)


def with_sessions(turns: DataFrame, max_gap_s: float) -> DataFrame:
    """Turns with ``session_id`` filled: where absent, the user and the start of a run without a gap over ``max_gap_s``."""
    by_user = Window.partitionBy("user_id").orderBy("at", "turn_index", "turn_id")
    gap = _seconds("at") - _seconds("before")
    starts = F.when(F.col("before").isNull() | (gap > max_gap_s), F.unix_micros("at"))
    made = F.concat_ws("@", "user_id", F.last(starts, ignorenulls=True).over(by_user).cast("string"))
    return (
        turns.withColumn("before", F.lag("at").over(by_user))
        .withColumn("session_id", F.coalesce("session_id", made))
        .drop("before")
    )


def reading() -> Column:
    """One string per distinct interpretation, null without an intent."""
    slots = F.to_json(F.array_sort(F.map_entries("slots")))
    return F.when(
        F.col("intent").isNotNull(),
        F.concat_ws("|", F.coalesce("domain", F.lit("")), "intent", F.coalesce(slots, F.lit(""))),
    )


def _own_columns() -> list[Column]:
    nbest = F.col("asr_nbest")
    margin = F.when(F.size(nbest) >= 2, F.get(nbest, F.lit(0))["score"] - F.get(nbest, F.lit(1))["score"])
    return [
        *(F.col(name) for name in ("turn_id", "user_id", "session_id", "turn_index", "at", "locale", "day", "barge_in")),
        *(F.col(name) for name in ("feedback", "intent", "asr_confidence", "nlu_confidence")),
        F.col("response_status").alias("status"),
        normal_form("utterance").alias("text"),
        reading().alias("reading"),
        margin.alias("nbest_margin"),
    ]


def neighbours(turns: DataFrame, max_gap_s: float) -> DataFrame:
    """One row a turn with the columns of `rewriter.defects.view.VIEW`: itself and the turns around it in its session.

    Turns are ordered by ``turn_index`` where the log has it, else by time.
    """
    # One shuffle serves both windows: rows of a user stay together.
    session = in_session()
    ahead = {"next": 1, "next2": 2, "prev": -1}
    gaps = {n: (_seconds(f"{n}_at") - _seconds("at")) * (1 if k > 0 else -1) for n, k in ahead.items()}
    names = ("at", "text", "status", "intent", "reading", "nlu_confidence", "barge_in")
    beside = [F.lead(c, k).over(session).alias(f"{n}_{c}") for n, k in ahead.items() for c in names]
    own = with_sessions(turns, max_gap_s).select(*_own_columns())
    placed = own.select("*", *beside, F.row_number().over(session).alias("position"))
    for name, gap in gaps.items():
        placed = placed.withColumn(f"{name}_gap_s", gap)
    return placed.withColumn("is_last", F.col("next_at").isNull()).select(*VIEW.names)
