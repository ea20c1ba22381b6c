"""The absorbing chain of a log's counts, its hubs and its trapped states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order

from rewriter.markov.counts import Counts, Floats, Ints, sums

#: Transitions a state needs before its spread can be told from chance.
MIN_HUB_WEIGHT = 30.0
#: Share of the log's own perplexity from which a state's successors count as "anything at all".
HUB_SPREAD = 0.5


@dataclass(frozen=True)
class Chain:
    """An absorbing Markov chain with n transient states.

    Attributes
    ----------
    states : tuple of n texts
    Q : (n, n) sparse
        Transient to transient.
    R : (n, 2)
        Transient to success and failure. Rows of Q and R together sum to 1, or to 0 for a state without any count.
    trapped : tuple of int
        States with no way to an absorbing state. Their rows are zero and the weight that led into them is left out of
        its source's total: it says nothing about how that source ends.
    """

    states: tuple[str, ...]
    Q: sparse.csr_array
    R: Floats
    trapped: tuple[int, ...]


def trapped_states(counts: Counts) -> Ints:
    """State numbers from which no path leads to success or failure, found by walking the edges backwards."""
    n = len(counts.states)
    ends = np.flatnonzero(counts.success + counts.failure > 0)
    # A super-state n stands for both absorbing states; from it, reversed edges lead to all states that can reach one.
    rows = np.concatenate([counts.target, np.full(len(ends), n)])
    columns = np.concatenate([counts.source, ends])
    reverse = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n + 1, n + 1))
    reached = breadth_first_order(reverse, n, return_predecessors=False)
    free = np.zeros(n + 1, bool)
    free[reached] = True
    return np.flatnonzero(~free[:n])


def chain_of(counts: Counts) -> Chain:
    """The chain whose probabilities are the counts' shares; trapped states are named and cut out."""
    n = len(counts.states)
    trapped = trapped_states(counts)
    cut = np.zeros(n, bool)
    cut[trapped] = True
    free = without_states(counts, cut)
    safe = np.where(free.total > 0, free.total, 1.0)
    Q = sparse.csr_array((free.weight / safe[free.source], (free.source, free.target)), shape=(n, n))
    R = np.column_stack([free.success / safe, free.failure / safe])
    return Chain(counts.states, Q, R, tuple(int(t) for t in trapped))


def hubs(counts: Counts, min_states: int) -> NDArray[np.bool_]:
    """Which states lead anywhere: their successors are nearly as spread as those of the whole log, (n,) bool.

    Spread is perplexity, exp of the Shannon entropy of the successor weights. A state is compared with the perplexity that
    as many draws from the log's own successors would show at most, ``min(weight, perplexity of the log)``. A log of fewer
    than ``min_states`` states has no hubs: it is too small to tell.
    """
    n = len(counts.states)
    if n < min_states or not len(counts.weight):
        return np.zeros(n, bool)
    out = counts.outgoing
    p = counts.weight / out[counts.source]
    entropy = sums(counts.source, -p * np.log(p), n)
    into = sums(counts.target, counts.weight, n) / counts.weight.sum()
    log_perplexity = float(np.exp(-np.sum(into[into > 0] * np.log(into[into > 0]))))
    found: NDArray[np.bool_] = (out >= MIN_HUB_WEIGHT) & (np.exp(entropy) >= HUB_SPREAD * np.minimum(out, log_perplexity))
    return found


def without_states(counts: Counts, cut: NDArray[np.bool_]) -> Counts:
    """The counts without the transitions into and out of the cut states; their outcomes stay."""
    keep = ~(cut[counts.source] | cut[counts.target])
    return replace(counts, source=counts.source[keep], target=counts.target[keep], weight=counts.weight[keep])
