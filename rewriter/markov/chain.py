"""The absorbing chain of a log's counts, and its trapped states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rewriter.markov.compiled import Ints32, compiled
from rewriter.markov.counts import Counts, Floats, Ints


@dataclass(frozen=True)
class Chain:
    """An absorbing Markov chain with n transient states.

    Attributes
    ----------
    Q : (n, n) sparse
        Transient to transient.
    R : (n, 2)
        Transient to success and failure. Rows of Q and R together sum to 1, or to 0 for a state without any count.
    trapped : (t,) int
        States with no way to an absorbing state. Their rows are zero and the weight that led into them is left out of
        its source's total: it says nothing about how that source ends.
    """

    Q: sparse.csr_array
    R: Floats
    trapped: Ints

    @property
    def n_states(self) -> int:
        """How many transient states there are, n."""
        return len(self.R)


@compiled
def walk_back(start: Ints, source: Ints32, reached: NDArray[np.bool_]) -> None:
    """Mark every state with a path to a marked one; row j of (start, source) holds the states with an edge to j."""
    waiting = np.flatnonzero(reached).astype(np.int32)
    stack = np.empty(len(reached), np.int32)
    stack[: len(waiting)] = waiting
    n = len(waiting)
    while n:
        n -= 1
        state = stack[n]
        for edge in range(start[state], start[state + 1]):
            before = source[edge]
            if not reached[before]:
                reached[before] = True
                stack[n] = before
                n += 1


def _matrix(counts: Counts, weight: Floats) -> sparse.csr_array:
    """The edges' weights as a sparse matrix that shares the weight's memory."""
    n = counts.n_states
    start = np.zeros(n + 1, np.int32 if len(weight) < 2**31 else np.int64)
    np.cumsum(np.bincount(counts.source, minlength=n), out=start[1:])
    return sparse.csr_array((weight, counts.target.astype(start.dtype), start), shape=(n, n))


def trapped_states(counts: Counts) -> Ints:
    """State numbers from which no path leads to success or failure, found by walking the edges backwards."""
    reached = counts.success + counts.failure > 0
    if not reached.all():
        back = _matrix(counts, counts.weight).tocsc()
        walk_back(back.indptr.astype(np.int64), back.indices.astype(np.int32, copy=False), reached)
    return np.flatnonzero(~reached)


def chain_of(counts: Counts) -> Chain:
    """The chain whose probabilities are the counts' shares; trapped states are named and cut out."""
    trapped = trapped_states(counts)
    free = counts
    if len(trapped):
        cut = np.zeros(counts.n_states, bool)
        cut[trapped] = True
        free = without_states(counts, cut)
    safe = np.where(free.total > 0, free.total, 1.0)
    R = np.column_stack([free.success / safe, free.failure / safe])
    return Chain(_matrix(free, free.weight / safe[free.source]), R, trapped)


def without_states(counts: Counts, cut: NDArray[np.bool_]) -> Counts:
    """The counts without the transitions into and out of the cut states; their outcomes stay."""
    keep = ~(cut[counts.source] | cut[counts.target])
    return replace(counts, source=counts.source[keep], target=counts.target[keep], weight=counts.weight[keep])
