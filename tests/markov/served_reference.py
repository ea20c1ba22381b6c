"""The correction for served rewrites over whole arrays: what the Spark job must agree with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.awareness import is_losing, is_winning, p_better, split_moved, split_served, success_served, voice
from rewriter.markov.counts import Counts, Floats, Ints, merge_edges, sums


@dataclass(frozen=True)
class Served:
    """Outcomes of k served pairs, all (k,): weight that succeeded, failed, or was rephrased to other words (``moved``)."""

    source: Ints
    rewrite: Ints
    success: Floats
    failure: Floats
    moved: Floats

    @property
    def total(self) -> Floats:
        """Weight of all turns of each pair, (k,)."""
        return self.success + self.failure + self.moved

    def better(self, counts: Counts) -> Floats:
        """P(theta_r > theta_u) of each pair, (k,); ``counts`` are those of turns served as they are."""
        as_is = counts.success[self.source]
        return p_better(self.success, self.failure + self.moved, as_is, counts.total[self.source] - as_is)

    def losing(self, counts: Counts) -> NDArray[np.bool_]:
        """Which pairs the live outcomes speak against, (k,) bool."""
        return is_losing(self.total, counts.total[self.source], self.better(counts))

    def winning(self, counts: Counts, min_success: float) -> NDArray[np.bool_]:
        """Which pairs they speak for, (k,) bool."""
        mean = success_served(self.success, self.total)
        return is_winning(mean, counts.total[self.source], self.better(counts), min_success)


@dataclass(frozen=True)
class Moved:
    """What users said after a served pair, all (k,): ``pair`` is the row of `Served`, ``target`` the state they moved to."""

    pair: Ints
    target: Ints
    weight: Floats


def with_served(counts: Counts, served: Served, moved: Moved, cap: float) -> Counts:
    """The counts of turns served as they are, with the served turns on both their paths; ``cap`` as for `voice`."""
    p, n, share = served.better(counts), counts.n_states, voice(served.total, cap)
    pair = moved.pair
    transitions, ends = split_served(served.source, served.rewrite, share * served.success, share * served.failure, p)
    onward = split_moved(served.source[pair], served.rewrite[pair], moved.target, share[pair] * moved.weight, p[pair])
    columns = zip((counts.source, counts.target, counts.weight), transitions, onward, strict=True)
    source, target, weight = (np.concatenate(column) for column in columns)
    return Counts(
        *merge_edges(source, target, weight, n),
        counts.success + sums(ends.state, ends.success, n),
        counts.failure + sums(ends.state, ends.failure, n),
    )
