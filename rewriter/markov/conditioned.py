"""The chain conditioned on success: bounds on the chance of it, and both directions of it for the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.chain import Chain, walk_back
from rewriter.markov.compiled import AHEAD, Ints32, compiled, prefetch
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.push import STEPS, Graph

Flags = NDArray[np.bool_]

#: Sweeps leave states alone whose bounds are this close; first all are brought so near, then nearer.
CLOSE = (1e-3, 1e-6, 1e-10)
#: Edges and states that the sweeps may walk; how often each may be whatever their number; and sweeps of each closeness, so
#: that a few states that hardly ever end do not take it all.
MOST_SWEPT = 50_000_000
MIN_SWEEPS = 12
SWEEPS_EACH = 250
_EPS = float(np.finfo(np.float64).eps)
#: Below any chance that counts can give; a bound from above stays above zero where success can be reached.
_TINY = 1e-290


class Edges(NamedTuple):
    """Edges of n states, grouped: by source, or by target where reversed."""

    start: Ints  # (n + 1,) of each state's edges
    other: Ints32  # (e,) the state at the other end
    value: Floats  # (e, 1) Q, or (e, 2) A and K


def _blank(n: int, e: int, columns: int) -> Edges:
    # Made here and filled in by compiled code: NumPy asks for huge pages, compiled code does not.
    return Edges(np.zeros(n + 1, np.int64), np.empty(e, np.int32), np.empty((e, columns)))


@compiled
def _depth_first(edges: Edges) -> Ints32:
    """The states in an order in which those that follow one another are mostly near: the kernel then finds them in cache."""
    n = len(edges.start) - 1
    order, seen = np.empty(n, np.int32), np.zeros(n, np.bool_)
    stack = np.empty(len(edges.other) + 1, np.int32)
    found = 0
    for root in range(n):
        stack[0], waiting = root, 1
        while waiting > 0:
            waiting -= 1
            state = stack[waiting]
            if seen[state]:
                continue
            seen[state] = True
            order[found] = state
            found += 1
            for edge in range(edges.start[state], edges.start[state + 1]):
                if not seen[edges.other[edge]]:
                    prefetch(edges.start, edges.other[edge])
                    stack[waiting] = edges.other[edge]
                    waiting += 1
    return order


@compiled
def _move(Q: Edges, order: Ints32, place: Ints32, moved: Edges) -> None:
    """Fill in Q with state ``order[k]`` in place k."""
    at, n = 0, len(order)
    for k in range(n):
        prefetch(Q.start, order[min(k + 3 * AHEAD, n - 1)])
        first = Q.start[order[min(k + 2 * AHEAD, n - 1)]]
        prefetch(Q.other, first)
        prefetch(Q.value, first)
        soon = order[min(k + AHEAD, n - 1)]
        for edge in range(Q.start[soon], Q.start[soon + 1]):
            prefetch(place, Q.other[edge])
        for edge in range(Q.start[order[k]], Q.start[order[k] + 1]):
            moved.other[at], moved.value[at, 0] = place[Q.other[edge]], Q.value[edge, 0]
            at += 1
        moved.start[k + 1] = at


@compiled
def _sweep(Q: Edges, success: Floats, bounds: Floats, close: float, waiting: Ints32) -> tuple[int, int]:
    """Draw the bounds, (n, 2), of the waiting states together by ``B = R + Q B``, each seeing those before it in the list.

    Returns how many are not ``close`` yet, now first in the list, and how many edges and states were walked.
    """
    left, walked, end = 0, 0, len(waiting) - 1
    for k in range(len(waiting)):
        first = Q.start[waiting[min(k + 2 * AHEAD, end)]]
        prefetch(Q.other, first)
        prefetch(Q.value, first)
        soon = waiting[min(k + AHEAD, end)]
        for edge in range(Q.start[soon], Q.start[soon + 1]):
            prefetch(bounds, Q.other[edge])
        state = waiting[k]
        first, last = Q.start[state], Q.start[state + 1]
        lower = upper = success[state]
        for edge in range(first, last):
            lower += Q.value[edge, 0] * bounds[Q.other[edge], 0]
            upper += Q.value[edge, 0] * bounds[Q.other[edge], 1]
        rounding = _EPS * (last - first + 4)
        bounds[state, 0] = max(bounds[state, 0], lower * (1 - rounding))
        bounds[state, 1] = max(min(bounds[state, 1], upper * (1 + rounding)), _TINY)
        walked += last - first + 1
        if bounds[state, 1] - bounds[state, 0] > close:
            waiting[left] = state
            left += 1
    return left, walked


@compiled
def _bound_moving(Q: Edges, bounds: Floats, moving: Floats) -> None:
    """Fill in a bound w from above on Q B, above zero where success elsewhere can be reached."""
    end = len(Q.other) - 1
    for state in range(len(moving)):
        first, last = Q.start[state], Q.start[state + 1]
        total = 0.0
        for edge in range(first, last):
            prefetch(bounds, Q.other[min(edge + AHEAD, end)])
            total += Q.value[edge, 0] * bounds[Q.other[edge], 1]
        moving[state] = total * (1 + _EPS * (last - first + 4))


@compiled
def _step(q: float, moving: float, moving_next: float, success_next: float) -> tuple[float, float]:
    """A and K of an edge; it leads nowhere from a state without success elsewhere."""
    share = q / moving if moving > 0.0 else 0.0
    return share * moving_next, share * success_next


@compiled
def _condition(Q: Edges, success: Floats, moving: Floats, steps: Edges) -> None:
    """Fill in A and K of each edge."""
    end = len(Q.other) - 1
    for state in range(len(success)):
        for edge in range(Q.start[state], Q.start[state + 1]):
            ahead, other = Q.other[min(edge + AHEAD, end)], Q.other[edge]
            prefetch(moving, ahead)
            prefetch(success, ahead)
            steps.value[edge] = _step(Q.value[edge, 0], moving[state], moving[other], success[other])


@compiled
def _condition_back(success: Floats, moving: Floats, back: Edges) -> None:
    """Put A and K of each reversed edge in place of its Q."""
    end = len(back.other) - 1
    for state in range(len(success)):
        for edge in range(back.start[state], back.start[state + 1]):
            prefetch(moving, back.other[min(edge + AHEAD, end)])
            q = back.value[edge, 0]
            back.value[edge] = _step(q, moving[back.other[edge]], moving[state], success[state])


@compiled
def _reverse(Q: Edges, back: Edges) -> None:
    """Fill in the same edges by target, Q in the first column."""
    n, end = len(Q.start) - 1, len(Q.other) - 1
    for edge in range(len(Q.other)):
        prefetch(back.start, Q.other[min(edge + AHEAD, end)] + 1)
        back.start[Q.other[edge] + 1] += 1
    for state in range(n):
        back.start[state + 1] += back.start[state]
    free = back.start[:-1].copy()
    for state in range(n):
        for edge in range(Q.start[state], Q.start[state + 1]):
            prefetch(free, Q.other[min(edge + 2 * AHEAD, end)])
            soon = free[Q.other[min(edge + AHEAD, end)]]
            prefetch(back.other, soon)
            prefetch(back.value, soon)
            place = free[Q.other[edge]]
            free[Q.other[edge]] += 1
            back.other[place], back.value[place, 0] = state, Q.value[edge, 0]


@compiled
def _onward(steps: Edges, before: Floats, after: Floats) -> None:
    """Fill in A times a vector."""
    end = len(steps.other) - 1
    for state in range(len(after)):
        total = 0.0
        for edge in range(steps.start[state], steps.start[state + 1]):
            prefetch(before, steps.other[min(edge + AHEAD, end)])
            total += steps.value[edge, 0] * before[steps.other[edge]]
        after[state] = total


def _horizon(steps: Edges) -> tuple[Floats, Floats]:
    """The chance u of leaving A within STEPS and the steps v until then, (n,), safe by more than any sum can be off."""
    n = len(steps.start) - 1
    staying, lasting = np.ones(n), np.zeros(n)
    for _ in range(STEPS):
        lasting += staying
        before, staying = staying, np.empty(n)
        _onward(steps, before, staying)
    return np.maximum(1.0 - staying - 1e-9, 0.0), lasting * (1.0 + 1e-9)


@dataclass(frozen=True)
class Conditioned:
    """A chain of n states conditioned on success, as `rewriter.markov.push` defines it, each state in a place of its own.

    Attributes
    ----------
    graph : Graph
        Of places, not of states.
    order, place : (n,) int
        The state of each place, and the place of each state.
    lower, upper : (n,) float
        ``lower <= B_S <= upper`` by state, rounding counted in; both zero where success cannot be reached.
    """

    graph: Graph
    order: Ints32
    place: Ints32
    lower: Floats
    upper: Floats


def _success_bounds(Q: Edges, success: Floats, reaches: Flags) -> Floats:
    """Bounds from below and above on B_S, (n, 2), by sweeps that only raise the one and only lower the other."""
    bounds = np.zeros((len(success), 2))
    bounds[reaches, 1] = 1.0
    size = len(Q.other) + len(success) + 1
    most, most_sweeps = max(MIN_SWEEPS * size, MOST_SWEPT), max(SWEEPS_EACH, MOST_SWEPT // size)
    for close in CLOSE:
        # From the last place to the first: mostly, a state's successors come before it.
        waiting = np.flatnonzero(bounds[:, 1] - bounds[:, 0] > close)[::-1].astype(np.int32)
        for _ in range(most_sweeps):
            if not len(waiting) or most <= 0:
                break
            left, walked = _sweep(Q, success, bounds, close, waiting)
            waiting, most = waiting[:left], most - walked
    return bounds


def conditioned(chain: Chain) -> Conditioned:
    """The chain conditioned on success."""
    n, e = chain.n_states, chain.Q.nnz
    given = Edges(chain.Q.indptr.astype(np.int64), chain.Q.indices.astype(np.int32, copy=False), chain.Q.data.reshape(e, 1))
    order = _depth_first(given)
    place = np.empty(n, np.int32)
    place[order] = np.arange(n, dtype=np.int32)
    Q, back = _blank(n, e, 1), _blank(n, e, 2)
    _move(given, order, place, Q)
    _reverse(Q, back)
    success, moving = chain.R[order, 0], np.zeros(n)
    reaches = success > 0
    walk_back(back.start, back.other, reaches)
    bounds = _success_bounds(Q, success, reaches)
    _bound_moving(Q, bounds, moving)
    steps = Edges(Q.start, Q.other, np.empty((e, 2)))
    _condition(Q, success, moving, steps)
    _condition_back(success, moving, back)
    graph = Graph(success, moving, *steps, *back, *_horizon(steps))
    return Conditioned(graph, order, place, bounds[place, 0], bounds[place, 1])
