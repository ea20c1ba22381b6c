"""Random rephrase graphs of any size, shaped like logs: few popular requests, many rare ones, one giant component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from rewriter.markov.counts import Counts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Edges a state, on average.
DEGREE = 2.5
#: Share of states whose goals are linked to one another, which makes them one component; other goals stand alone.
GIANT = 0.5
#: Share of the edges of those states that lead anywhere among them, not to the same goal.
WANDER = 0.2
#: Fewest times that a state was visited: as many users as a published pair needs.
LEAST_VISITS = 10.0
#: Tail exponents of visits a state and of how they are shared among its successors.
VISIT_TAIL, SHARE_TAIL = 1.3, 1.2
#: Share of states that hardly ever end a session: their chance of absorption is 0.01 to 0.09.
SLOW = 0.04


def _blocks(n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """First and last state (exclusive) of each state's goal: blocks of 2 to 200 states, sizes heavy-tailed."""
    starts = np.concatenate([[0], np.cumsum(np.minimum(2 + rng.pareto(1.0, n).astype(np.int64), 200))])
    starts = np.append(starts[starts < n], n)
    number = np.searchsorted(starts, np.arange(n), side="right") - 1
    return starts[number], starts[number + 1]


def _edges(n: int, wander: float, visits: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs of states of one goal, and within the giant component some of any two; successors drawn by their visits."""
    first, last = _blocks(n, rng)
    giant = last[max(int(n * GIANT), 2) - 1]
    source = rng.integers(0, n, int(n * DEGREE * 1.7))
    anywhere = (source < giant) & (rng.random(len(source)) < wander)
    first, last = np.where(anywhere, 0, first[source]), np.where(anywhere, giant, last[source])
    until = np.concatenate([[0.0], np.cumsum(visits)])
    target = np.searchsorted(until, until[first] + rng.random(len(source)) * (until[last] - until[first]), side="right") - 1
    target = np.clip(target, first, last - 1)
    key = np.unique((source * n + target)[source != target])
    key = rng.permutation(key)[: int(n * DEGREE)]
    return key // n, key % n


def _weights(source: Ints, leaving: Floats, rng: np.random.Generator) -> Floats:
    """Integer counts of the edges: each source's leaving visits in heavy-tailed shares, at least one each."""
    share = rng.random(len(source)) ** (-1 / SHARE_TAIL)
    whole = np.bincount(source, share, minlength=len(leaving))
    return np.maximum(np.rint(share / whole[source] * leaving[source]), 1.0)


def random_counts(n: int, wander: float = WANDER, least_visits: float = LEAST_VISITS, seed: int = 7) -> Counts:
    """Counts of n states and DEGREE edges a state, integers throughout, labels shuffled.

    ``wander`` is the share of edges in the giant component that leave their goal (1: there are no goals);
    ``least_visits`` is the fewest times that any state was visited, and the tail above it is heavy.
    """
    rng = np.random.default_rng(seed)
    visits = np.floor(np.minimum(least_visits * rng.random(n) ** (-1 / VISIT_TAIL), 1e6))
    source, target = _edges(n, wander, visits, rng)
    absorbed = rng.beta(3.0, 6.0, n)
    slow = rng.random(n) < SLOW
    absorbed[slow] = rng.uniform(0.01, 0.09, int(slow.sum()))
    has_edges = np.bincount(source, minlength=n) > 0
    ends = np.where(has_edges, np.maximum(np.rint(visits * absorbed), 1.0), visits)
    weight = _weights(source, visits - ends, rng)
    success = rng.binomial(ends.astype(np.int64), rng.random(n)).astype(np.float64)
    return _shuffled(source, target, weight, success, ends - success, rng)


def _shuffled(
    source: Ints, target: Ints, weight: Floats, success: Floats, failure: Floats, rng: np.random.Generator
) -> Counts:
    label = rng.permutation(len(success))
    place = np.argsort(label)
    source, target = label[source], label[target]
    order = np.argsort(source * len(success) + target)
    return Counts(source[order], target[order], weight[order], success[place], failure[place])


def properties(counts: Counts) -> dict[str, float]:
    """What the graph is like."""
    n, total = counts.n_states, counts.total
    absorbed = (counts.success + counts.failure) / np.where(total > 0, total, 1.0)
    shape = sparse.csr_array((np.ones(len(counts.source), np.int8), (counts.source, counts.target)), shape=(n, n))
    component = connected_components(shape, directed=True, connection="weak")[1]
    return {
        "edges_per_state": len(counts.source) / n,
        "mean_absorption": float(absorbed.mean()),
        "share_absorption_below_0.1": float((absorbed < 0.1).mean()),
        "giant_component": float(np.bincount(component).max() / n),
        "largest_weight": float(counts.weight.max()),
        "median_weight": float(np.median(counts.weight)),
        "share_weight_one": float((counts.weight == 1).mean()),
        "share_weight_integer": float((counts.weight == np.rint(counts.weight)).mean()),
    }


def check(found: dict[str, float]) -> None:
    """Check that a graph is as hard as promised.

    Raises
    ------
    ValueError
        Naming every property that is not as promised.
    """
    promised = {
        "edges_per_state": found["edges_per_state"] >= 2.45,
        "mean_absorption": found["mean_absorption"] <= 0.4,
        "share_absorption_below_0.1": found["share_absorption_below_0.1"] >= 0.05,
        "giant_component": found["giant_component"] >= 0.3,
        "share_weight_integer": found["share_weight_integer"] == 1.0,
    }
    if not all(promised.values()):
        raise ValueError(f"the graph is not as promised: {[k for k, ok in promised.items() if not ok]} of {found}")
