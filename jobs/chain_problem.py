"""One problem for the solver: edges, ends and candidates by state number, always solved in the same order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from rewriter.markov.chain import trapped_states
from rewriter.markov.counts import Counts, merge_edges, sums
from rewriter.markov.solve import solve
from rewriter.markov.visits import UNIT
from rewriter.settings import Mine

#: A solved candidate, as `rewriter.markov.solve.solve` returns it.
SOLVED = pa.schema(
    [
        ("source", pa.int64()),
        ("rewrite", pa.int64()),
        *((name, pa.float64()) for name in ("passing", "staying", "absorbed", "bound")),
        ("is_best", pa.bool_()),
        ("certified", pa.bool_()),
        ("is_tie", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Problem:
    """What is to be solved; weights are whole millionths.

    Attributes
    ----------
    edges, ends : frame
        ``source``, ``target``, ``weight``; ``state``, ``success``, ``failure``.
    candidates : table
        ``source``, ``rewrite``, ``place``: the allowed pairs, few; ``place`` orders the rewrites of one source, the
        preferred first.
    """

    edges: DataFrame
    ends: DataFrame
    candidates: pa.Table


@dataclass(frozen=True)
class Solution:
    """The candidates solved (`SOLVED`), sorted; how many components hold one, and the trapped states in these."""

    solved: pa.Table
    components: int
    trapped: int


def sorted_rows(solved: pa.Table) -> pa.Table:
    """Solved candidates (`SOLVED`) by source and rewrite."""
    return solved.select(SOLVED.names).cast(SOLVED).sort_by([("source", "ascending"), ("rewrite", "ascending")])


def solve_one(edges: pa.Table, ends: pa.Table, candidates: pa.Table, settings: Mine, threads: int) -> pa.Table:
    """One problem in the order in which it is always solved, whatever task holds it; weights become requests."""

    def requests(table: pa.Table, keys: list[str], weights: list[str]) -> pa.Table:
        table = table.sort_by([(key, "ascending") for key in keys])
        scaled = [pc.divide(table.column(name).cast(pa.float64()), float(UNIT)) for name in weights]
        return pa.table([*(table.column(key) for key in keys), *scaled], [*keys, *weights])

    preferred = candidates.sort_by([("source", "ascending"), ("place", "ascending")]).select(["source", "rewrite"])
    edges = requests(edges, ["source", "target"], ["weight"])
    return solve(edges, requests(ends, ["state"], ["success", "failure"]), preferred, settings, threads)


def n_trapped(edges: pa.Table, ends: pa.Table) -> int:
    """How many states with a transition have no way to success or failure."""
    source, target, state = (
        table.column(name).to_numpy() for table, name in ((edges, "source"), (edges, "target"), (ends, "state"))
    )
    known = np.unique(np.concatenate([source, target]))
    weight = edges.column("weight").to_numpy().astype(np.float64)
    merged = merge_edges(np.searchsorted(known, source), np.searchsorted(known, target), weight, len(known))
    end = ends.column("success").to_numpy() + ends.column("failure").to_numpy()
    place = np.minimum(np.searchsorted(known, state), max(len(known) - 1, 0))
    is_known = known[place] == state if len(known) else np.zeros(len(state), bool)
    out = sums(place[is_known], end[is_known].astype(np.float64), len(known))
    return len(trapped_states(Counts(*merged, out, np.zeros(len(known)))))
