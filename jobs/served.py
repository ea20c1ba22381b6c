"""Correcting the counts for the rewrites that were served: posteriors of served pairs, and their turns on both paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.rephrase_counts import Batches, moved_counts, served_counts, state_counts, transition_counts
from rewriter.markov.awareness import (
    Outcomes,
    Transitions,
    is_losing,
    is_winning,
    p_better,
    split_moved,
    split_served,
    success_served,
    voice,
)
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.tally import OUTCOME, TRANSITION
from rewriter.markov.visits import UNIT, units
from rewriter.settings import Mine

_SPLIT = "kind byte, source long, via long, target long, a long, b long"
_POSTERIOR = (
    "source long, rewrite long, success long, failure long, p double, voice double, loses_live boolean, p_live double"
)


def _as_is(sums: DataFrame, sources: DataFrame) -> DataFrame:
    """(source, u_success, u_total) of turns served as they are, of the named sources."""
    zero = F.lit(0).cast("long")
    succeeded = F.when(F.col("is_reading"), F.col("weight")).otherwise(zero)
    left = transition_counts(sums).select("source", succeeded.alias("s"), F.col("weight").alias("t"))
    ended = state_counts(sums).select(F.col("state").alias("source"), "success", F.col("success") + F.col("failure"))
    named = left.union(ended).join(sources, "source", "left_semi")
    return named.groupBy("source").agg(F.sum("s").alias("u_success"), F.sum("t").alias("u_total"))


def posteriors(sums: DataFrame, settings: Mine) -> DataFrame:
    """(source, rewrite, success, failure, p, voice, loses_live, p_live) of each served pair; weights are whole millionths.

    ``p_live`` is the success of its served turns where these speak for the pair, NaN where they do not.
    """
    ended, moved = served_counts(sums), moved_counts(sums).groupBy("source", "rewrite").agg(F.sum("weight").alias("moved"))
    served = ended.join(moved, ["source", "rewrite"], "full")
    rows = served.join(_as_is(sums, served.select("source").distinct()), "source", "left")
    return rows.fillna(0).mapInArrow(_compare(settings), _POSTERIOR)


def _compare(settings: Mine) -> Callable[[Batches], Batches]:
    def compare(batches: Batches) -> Batches:
        for batch in batches:
            yield _posterior(batch, settings)

    return compare


def _posterior(batch: pa.RecordBatch, settings: Mine) -> pa.RecordBatch:
    success, failure, moved, u_success, u_total = (
        _weights(batch, name) for name in ("success", "failure", "moved", "u_success", "u_total")
    )
    served = success + failure + moved
    p = p_better(success, failure + moved, u_success, u_total - u_success)
    kept = [batch.column(name) for name in ("source", "rewrite", "success", "failure")]
    mean = success_served(success, served)
    p_live = np.where(is_winning(mean, u_total, p, settings.min_rewrite_success), mean, np.nan)
    found = [pa.array(x) for x in (p, voice(served, settings.user_cap), is_losing(served, u_total, p), p_live)]
    return pa.RecordBatch.from_arrays([*kept, *found], [column.split()[0] for column in _POSTERIOR.split(", ")])


def _weights(batch: pa.RecordBatch, name: str) -> Floats:
    return np.asarray(batch.column(name), np.float64) / UNIT


def _numbers(batch: pa.RecordBatch, *names: str) -> list[Ints]:
    return [np.asarray(batch.column(name), np.int64) for name in names]


def _rows(transitions: Transitions, ends: Outcomes | None = None) -> Iterator[pa.RecordBatch]:
    """Rows of `_SPLIT`; a state's way to itself collapses."""
    names = ["kind", "source", "via", "target", "a", "b"]

    def rows(kind: int, source: Ints, target: Ints, a: Floats, b: Floats) -> pa.RecordBatch:
        columns = [np.full(len(source), kind, np.int8), source, np.zeros_like(source), target, units(a), units(b)]
        return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names)

    other = transitions.source != transitions.target
    source, target, weight = (column[other] for column in transitions)
    yield rows(TRANSITION, source, target, weight, np.zeros(len(source)))
    if ends is not None:
        yield rows(OUTCOME, ends.state, np.zeros_like(ends.state), ends.success, ends.failure)


def _split_served(batches: Batches) -> Batches:
    for batch in batches:
        source, rewrite = _numbers(batch, "source", "rewrite")
        p, share = np.asarray(batch.column("p")), np.asarray(batch.column("voice"))
        success, failure = _weights(batch, "success") * share, _weights(batch, "failure") * share
        yield from _rows(*split_served(source, rewrite, success, failure, p))


def _split_moved(batches: Batches) -> Batches:
    for batch in batches:
        source, rewrite, target = _numbers(batch, "source", "rewrite", "target")
        weight = _weights(batch, "weight") * np.asarray(batch.column("voice"))
        yield from _rows(split_moved(source, rewrite, target, weight, np.asarray(batch.column("p"))))


def corrected(sums: DataFrame, known: DataFrame) -> DataFrame:
    """The transitions and outcomes with every served turn put on both its paths; ``known`` are the `posteriors`.

    Columns ``kind``, ``source``, ``via``, ``target``, ``a``, ``b`` as in `jobs.rephrase_counts.summed`.
    """
    own = sums.where(F.col("kind").isin(TRANSITION, OUTCOME)).select("kind", "source", "via", "target", "a", "b")
    pairs = known.mapInArrow(_split_served, _SPLIT)
    onward = moved_counts(sums).join(known.select("source", "rewrite", "p", "voice"), ["source", "rewrite"])
    parts = own.union(pairs).union(onward.mapInArrow(_split_moved, _SPLIT))
    return parts.groupBy("kind", "source", "via", "target").agg(F.sum("a").alias("a"), F.sum("b").alias("b"))
