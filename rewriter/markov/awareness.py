"""Correcting the log for the rewrites it was served with (self-awareness)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from rewriter.markov.counts import Counts, Floats, Ints, merge_edges, sums

#: Served requests from which a losing rewrite is dropped for good.
MIN_SERVED = 20


@dataclass(frozen=True)
class Served:
    """Outcomes of served rewrites: k pairs (source served as rewrite), weights that succeeded and failed, all (k,)."""

    source: Ints
    rewrite: Ints
    success: Floats
    failure: Floats

    def better(self, counts: Counts) -> Floats:
        """P(theta_r > theta_u): the chance that the rewrite beats the request served as it is, (k,).

        Both are Beta posteriors with a uniform prior; as-is outcomes are those of the counts, where rephrased visits
        did not succeed. Normal approximation of the difference.

        References
        ----------
        Ponnusamy et al. 2022 (arXiv 2205.00029), section 4.
        """
        as_is_s = counts.success[self.source]
        a = np.stack([1.0 + self.success, 1.0 + as_is_s])
        b = np.stack([1.0 + self.failure, 1.0 + counts.total[self.source] - as_is_s])
        mean, total = a / (a + b), a + b
        variance = a * b / (total**2 * (total + 1.0))
        z = (mean[0] - mean[1]) / np.sqrt(variance.sum(axis=0))
        return np.array([NormalDist().cdf(float(v)) for v in z])

    def losing(self, counts: Counts) -> set[tuple[int, int]]:
        """Pairs that the live outcomes speak against: p < 0.5 on enough served requests."""
        enough = self.success + self.failure >= MIN_SERVED
        lose = enough & (self.better(counts) < 0.5)
        return set(zip(self.source[lose].tolist(), self.rewrite[lose].tolist(), strict=True))


def with_served(counts: Counts, served: Served) -> Counts:
    """Counts in which each served rewrite contributes to both paths, ``u -> r`` with weight p and ``u`` with 1 - p."""
    if not len(served.source):
        return counts
    n = len(counts.states)
    p = served.better(counts)
    edges = merge_edges(
        np.concatenate([counts.source, served.source]),
        np.concatenate([counts.target, served.rewrite]),
        np.concatenate([counts.weight, p * (served.success + served.failure)]),
        n,
    )

    def outcomes(own: Floats, live: Floats) -> Floats:
        through = sums(served.rewrite, p * live, n)
        return own + through + sums(served.source, (1.0 - p) * live, n)

    success, failure = outcomes(counts.success, served.success), outcomes(counts.failure, served.failure)
    return Counts(counts.states, *edges, success, failure)
