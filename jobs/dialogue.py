"""Sessions of turns, and each turn beside its neighbours."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.columns import normal_form, understood
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
    """One string per distinct interpretation, null where NLU understood nothing."""
    slots = F.to_json(F.array_sort(F.map_entries("slots")))
    return F.when(
        understood().isNotNull(),
        F.concat_ws("|", F.coalesce("domain", F.lit("")), "intent", F.coalesce(slots, F.lit(""))),
    )


def _entropy(scores: Column) -> Column:
    """Entropy, in nats, of scores scaled to sum to 1; null without two of them."""
    zero = F.lit(0.0)
    total = F.aggregate(scores, zero, lambda a, x: a + x)
    weighted = F.aggregate(scores, zero, lambda a, x: a + x * F.log(x))
    return F.when(F.size(scores) >= 2, F.log(total) - weighted / total)


def _own_columns() -> list[Column]:
    nbest = F.col("asr_nbest")
    margin = F.when(F.size(nbest) >= 2, F.get(nbest, F.lit(0))["score"] - F.get(nbest, F.lit(1))["score"])
    scores = F.filter(F.transform(nbest, lambda n: n["score"].cast("double")), lambda score: score > F.lit(0.0))
    return [
        *(F.col(name) for name in ("turn_id", "user_id", "session_id", "turn_index", "at", "locale", "day", "barge_in")),
        *(F.col(name) for name in ("feedback", "intent", "asr_confidence", "nlu_confidence")),
        F.col("response_status").alias("status"),
        normal_form("utterance").alias("text"),
        F.col("response"),
        margin.alias("nbest_margin"),
        _entropy(scores).alias("nbest_entropy"),
    ]


def neighbours(turns: DataFrame, max_gap_s: float) -> DataFrame:
    """One row a turn with the columns of `rewriter.defects.view.VIEW`: itself and the turns around it in its session.

    Turns are ordered by ``turn_index`` where the log has it, else by time.
    """
    # One shuffle serves both windows: rows of a user stay together.
    session = in_session()
    beside = {"next": 1, "next2": 2, "prev": -1}
    names = ("at", "text", "status", "response", "intent", "nlu_confidence", "barge_in")
    neighbour = [F.lead(c, k).over(session).alias(f"{n}_{c}") for n, k in beside.items() for c in names]
    said_before = F.row_number().over(in_session("response")) > 1
    placed = with_sessions(turns, max_gap_s).select(*_own_columns()).select("*", *neighbour)
    added = {f"{n}_gap_s": _seconds(f"{n}_at") - _seconds("at") for n in ("next", "next2")}
    added["is_last"] = F.col("next_at").isNull()
    added["is_echo"] = F.when(F.col("response").isNotNull(), said_before)
    return placed.withColumns(added).select(*VIEW.names)
