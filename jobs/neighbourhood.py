"""What lies around a pair in the counted log: the ways out of both sides, and what lies between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from jobs.counted_log import CountedLog
from rewriter.markov.chain import Chain
from rewriter.markov.counts import Counts, Ints, merge_edges, sums
from rewriter.markov.visits import UNIT


@dataclass(frozen=True)
class Neighbourhood:
    """n states around a pair, by place: its sides, what follows the source, what leads to the rewrite.

    Attributes
    ----------
    texts : n texts
    counts : Counts
        Of these states; all their ways out are complete for the two sides only.
    total : (n,) float
        All weight that leaves each state, to states elsewhere too.
    is_hub : (n,) bool
    source, form, rewrite : places of the two wordings, and of what the rewrite is read as (itself without a reading)
    """

    texts: tuple[str, ...]
    counts: Counts
    total: np.ndarray
    is_hub: np.ndarray
    source: int
    form: int
    rewrite: int

    @property
    def chain(self) -> Chain:
        """The chain among these states, hubs cut out; what leaves them is missing from its rows."""
        n, cut = len(self.texts), self.is_hub[self.counts.source] | self.is_hub[self.counts.target]
        i, j, weight = (column[~cut] for column in (self.counts.source, self.counts.target, self.counts.weight))
        lost = sums(self.counts.source[cut], self.counts.weight[cut], n)
        safe = np.maximum(self.total - lost, 1.0 / UNIT)
        R = np.column_stack([self.counts.success / safe, self.counts.failure / safe])
        return Chain(sparse.csr_array((weight / safe[i], (i, j)), shape=(n, n)), R, np.zeros(0, np.int64))


def _of(frame: DataFrame, column: str, states: Ints) -> DataFrame:
    """The rows whose column is one of the states."""
    named = frame.sparkSession.createDataFrame(pa.table({column: np.unique(states)}))
    return frame.join(F.broadcast(named), column, "left_semi")


def _column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_numpy())


def neighbourhood(log: CountedLog, source: int, form: int) -> Neighbourhood:
    """The neighbourhood of a pair of wordings by number, wide enough for every way of three transitions between them."""
    meant = log.usual.where(F.col("state") == form).select("reading").head(1)
    rewrite = int(meant[0][0]) if meant else form
    sides = np.array([source, form, rewrite], np.int64)
    out = _of(log.transitions, "source", sides).toArrow()
    before = _of(log.transitions, "target", sides[2:]).toArrow()
    around = np.concatenate([sides, _column(out, "target"), _column(before, "source")])
    known = np.unique(around)
    edges = _of(_of(log.transitions, "source", known), "target", known).toArrow()
    leaving = _of(log.transitions, "source", known).groupBy("source").agg(F.sum("weight").alias("weight")).toArrow()
    ends = _of(log.ends, "state", known).toArrow()
    marked = log.names.join(log.states.select("state", "is_hub"), "state", "left").fillna(False, ["is_hub"])
    shown = F.when(F.col("is_reading"), F.concat(F.lit("understood as '"), "text", F.lit("'"))).otherwise(F.col("text"))
    named = _of(marked.withColumn("text", shown), "state", known).toArrow()
    n, named = len(known), named.sort_by("state")

    def place(table: pa.Table, name: str) -> Ints:
        return np.searchsorted(known, _column(table, name)).astype(np.int64)

    def added(table: pa.Table, key: str, name: str) -> np.ndarray:
        return sums(place(table, key), _column(table, name) / UNIT, n)

    success, failure = (added(ends, "state", name) for name in ("success", "failure"))
    merged = merge_edges(place(edges, "source"), place(edges, "target"), _column(edges, "weight") / UNIT, n)
    total = success + failure + added(leaving, "source", "weight")
    return Neighbourhood(
        tuple(named.column("text").to_pylist()),
        Counts(*merged, success, failure),
        total,
        np.asarray(named.column("is_hub")),
        *(int(np.searchsorted(known, side)) for side in (source, form, rewrite)),
    )
