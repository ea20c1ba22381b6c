"""Success estimates with their uncertainty, and the evidence behind each ordered pair of states."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.counts import Counts, Floats, Ints, sums


@dataclass(frozen=True)
class Support:
    """What stands behind each ordered pair (source before rewrite in one rephrase chain); k pairs, all arrays (k,).

    Times are microseconds since 1970 (UTC).
    """

    source: Ints
    rewrite: Ints
    users: Ints
    sessions: Ints
    days: Ints
    first_seen: Ints
    last_seen: Ints


@dataclass(frozen=True)
class Success:
    """Chance that a request served as it is succeeds at once, per state: Beta posterior mean and variance, (n,)."""

    mean: Floats
    variance: Floats

    def lift(self, source: Ints, rewrite: Ints, confidence: float) -> tuple[Floats, Floats]:
        """Gain in success of each rewrite over its source, and its one-sided lower bound (normal approximation)."""
        lift = self.mean[rewrite] - self.mean[source]
        z = NormalDist().inv_cdf(confidence)
        return lift, lift - z * np.sqrt(self.variance[rewrite] + self.variance[source])


def success_of(counts: Counts, domains: NDArray[np.int64], prior_strength: float) -> Success:
    """Beta-binomial success estimates, shrunk to the mean of each state's domain.

    Parameters
    ----------
    domains : (n,) int
        Domain number of each state.
    prior_strength : float
        Weight of the domain's mean, in requests.

    Notes
    -----
    A state's trials are all its visits: those rephrased away did not succeed at once.
    """
    n_domains = int(domains.max(initial=-1)) + 1
    hits = sums(domains, counts.success, n_domains)
    trials = sums(domains, counts.total, n_domains)
    mean = np.divide(hits, trials, out=np.full(n_domains, 0.5), where=trials > 0)[domains]
    a = counts.success + prior_strength * mean
    b = counts.total - counts.success + prior_strength * (1.0 - mean)
    total = np.maximum(a + b, 1e-12)
    return Success(a / total, a * b / (total**2 * (total + 1.0)))
