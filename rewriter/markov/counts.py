"""Weighted counts of a log: what the chain is made of. States are numbers; their texts stay with the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def sums(number: Ints, weight: Floats, n: int) -> Floats:
    """Total weight of each number 0..n-1, (n,)."""
    return np.bincount(number, weight, minlength=n).astype(np.float64)


@dataclass(frozen=True)
class Counts:
    """Weighted counts; n states numbered 0..n-1, e transitions.

    Attributes
    ----------
    source, target : (e,) int
        Each ordered pair at most once, never equal; sorted by source, then target.
    weight : (e,) float
        Rephrase weight of each transition, above zero.
    success, failure : (n,) float
        Weight that leaves each state to S and to F at once.
    """

    source: Ints
    target: Ints
    weight: Floats
    success: Floats
    failure: Floats

    @property
    def n_states(self) -> int:
        """How many states there are, n."""
        return len(self.success)

    @property
    def outgoing(self) -> Floats:
        """Weight each state sends to other states, (n,)."""
        return sums(self.source, self.weight, self.n_states)

    @property
    def total(self) -> Floats:
        """All weight that leaves each state, (n,)."""
        return self.outgoing + self.success + self.failure


def counts_of(
    transitions: Iterable[tuple[str, str, float]], outcomes: Iterable[tuple[str, float, float]]
) -> tuple[Counts, tuple[str, ...]]:
    """Counts and state names (sorted) of (source, target, weight) and (state, success, failure) rows; repeated rows add up.

    >>> counts, names = counts_of([("a", "b", 2.0), ("b", "b", 9.0)], [("b", 3.0, 1.0)])
    >>> names, counts.weight.tolist(), counts.success.tolist()
    (('a', 'b'), [2.0], [0.0, 3.0])
    """
    edges, ends = list(transitions), list(outcomes)
    names = tuple(sorted({s for edge in edges for s in edge[:2]} | {state for state, _, _ in ends}))
    number = {state: k for k, state in enumerate(names)}
    state = np.array([number[name] for name, _, _ in ends], np.int64)
    success, failure = (sums(state, np.array([end[k] for end in ends], np.float64), len(names)) for k in (1, 2))
    source, target, weight = merge_edges(
        [number[a] for a, _, _ in edges], [number[b] for _, b, _ in edges], [w for _, _, w in edges], len(names)
    )
    return Counts(source, target, weight, success, failure), names


def merge_edges(
    source: Sequence[int] | Ints, target: Sequence[int] | Ints, weight: Sequence[float] | Floats, n: int
) -> tuple[Ints, Ints, Floats]:
    """Edges sorted by source then target, parallel ones added up, self-loops and zero weights dropped; n states."""
    i, j, w = np.asarray(source, np.int64), np.asarray(target, np.int64), np.asarray(weight, np.float64)
    keep = (i != j) & (w > 0)
    key, inverse = np.unique(i[keep] * max(n, 1) + j[keep], return_inverse=True)
    return (key // max(n, 1)).astype(np.int64), (key % max(n, 1)).astype(np.int64), sums(inverse, w[keep], len(key))
