"""The chain conditioned on success: bounds on the chance of it, and both directions of it for the kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.chain import Chain, reaching
from rewriter.markov.compiled import Ints32, compiled
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.push import STEPS, Graph

Flags = NDArray[np.bool_]

#: Sweeps stop when no state's bounds are further apart.
CLOSE = 1e-10
#: Edges that the sweeps may walk, and sweeps that they may always make.
MOST_SWEPT = 50_000_000
MIN_SWEEPS = 40
_EPS = float(np.finfo(np.float64).eps)
#: Below any chance that counts can give; a bound from above stays above zero where success can be reached.
_TINY = 1e-290


@compiled
def _depth_first(start: Ints, successor: Ints32) -> Ints32:
    """The states in an order in which those that follow one another are mostly near: the kernel then finds them in cache."""
    n = len(start) - 1
    order, seen = np.empty(n, np.int32), np.zeros(n, np.bool_)
    stack = np.empty(len(successor) + 1, np.int32)
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
            for edge in range(start[state], start[state + 1]):
                if not seen[successor[edge]]:
                    stack[waiting] = successor[edge]
                    waiting += 1
    return order


@compiled
def _moved(start: Ints, successor: Ints32, probability: Floats, order: Ints32, place: Ints32) -> tuple[Ints, Ints32, Floats]:
    """Q with state ``order[k]`` in place k: start, successor, probability."""
    new_start = np.zeros(len(order) + 1, np.int64)
    new_successor, new_probability = np.empty_like(successor), np.empty_like(probability)
    at = 0
    for k in range(len(order)):
        for edge in range(start[order[k]], start[order[k] + 1]):
            new_successor[at], new_probability[at] = place[successor[edge]], probability[edge]
            at += 1
        new_start[k + 1] = at
    return new_start, new_successor, new_probability


@compiled
def _sweep(start: Ints, successor: Ints32, probability: Floats, success: Floats, bounds: Floats) -> float:
    """Draw the bounds, (n, 2), together by ``B = R + Q B``, each state seeing those after it; the widest still open."""
    widest = 0.0
    for state in range(len(success) - 1, -1, -1):
        first, last = start[state], start[state + 1]
        lower = upper = success[state]
        for edge in range(first, last):
            lower += probability[edge] * bounds[successor[edge], 0]
            upper += probability[edge] * bounds[successor[edge], 1]
        rounding = _EPS * (last - first + 4)
        bounds[state, 0] = max(bounds[state, 0], lower * (1 - rounding))
        if bounds[state, 1] > 0.0:
            bounds[state, 1] = max(min(bounds[state, 1], upper * (1 + rounding)), _TINY)
        widest = max(widest, bounds[state, 1] - bounds[state, 0])
    return widest


@compiled
def _moving(start: Ints, successor: Ints32, probability: Floats, upper: Floats) -> Floats:
    """A bound w from above on Q B, (n,), above zero where success elsewhere can be reached."""
    moving = np.zeros(len(upper))
    for state in range(len(upper)):
        first, last = start[state], start[state + 1]
        total = 0.0
        for edge in range(first, last):
            total += probability[edge] * upper[successor[edge]]
        moving[state] = total * (1 + _EPS * (last - first + 4))
    return moving


@compiled
def _condition(start: Ints, successor: Ints32, probability: Floats, success: Floats, moving: Floats) -> Floats:
    """A and K of each edge, (e, 2)."""
    step = np.zeros((len(successor), 2))
    for state in range(len(success)):
        if moving[state] > 0.0:
            for edge in range(start[state], start[state + 1]):
                step[edge, 0] = probability[edge] * moving[successor[edge]] / moving[state]
                step[edge, 1] = probability[edge] * success[successor[edge]] / moving[state]
    return step


@compiled
def _reversed(start: Ints, successor: Ints32, step: Floats) -> tuple[Ints, Ints32, Floats]:
    """The same edges by target: start, predecessor and step."""
    n = len(start) - 1
    back_start = np.zeros(n + 1, np.int64)
    for edge in range(len(successor)):
        back_start[successor[edge] + 1] += 1
    back_start = np.cumsum(back_start)
    free = back_start[:-1].copy()
    predecessor, back_step = np.empty(len(successor), np.int32), np.empty((len(successor), 2))
    for state in range(n):
        for edge in range(start[state], start[state + 1]):
            place = free[successor[edge]]
            free[successor[edge]] += 1
            predecessor[place] = state
            back_step[place, 0], back_step[place, 1] = step[edge, 0], step[edge, 1]
    return back_start, predecessor, back_step


@compiled
def _horizon(start: Ints, successor: Ints32, step: Floats, n_steps: int) -> tuple[Floats, Floats]:
    """The chance u of leaving A within the steps and the steps v until then, safe by more than any sum can be off."""
    n = len(start) - 1
    staying, lasting = np.ones(n), np.zeros(n)
    for _ in range(n_steps):
        lasting += staying
        before = staying.copy()
        for state in range(n):
            total = 0.0
            for edge in range(start[state], start[state + 1]):
                total += step[edge, 0] * before[successor[edge]]
            staying[state] = total
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


def _success_bounds(start: Ints, successor: Ints32, probability: Floats, success: Floats, reaches: Flags) -> Floats:
    """Bounds from below and above on B_S, (n, 2), by sweeps that only raise the one and only lower the other."""
    bounds = np.zeros((len(success), 2))
    bounds[reaches, 1] = 1.0
    for _ in range(max(MIN_SWEEPS, MOST_SWEPT // (len(successor) + len(success) + 1))):
        if _sweep(start, successor, probability, success, bounds) <= CLOSE:
            break
    return bounds


def conditioned(chain: Chain) -> Conditioned:
    """The chain conditioned on success."""
    Q, n = chain.Q, chain.n_states
    edges = Q.indptr.astype(np.int64), Q.indices.astype(np.int32, copy=False)
    order = _depth_first(*edges)
    place = np.empty(n, np.int32)
    place[order] = np.arange(n, dtype=np.int32)
    start, successor, probability = _moved(*edges, Q.data, order, place)
    success = chain.R[order, 0]
    bounds = _success_bounds(start, successor, probability, success, reaching(Q, chain.R[:, 0] > 0)[order])
    moving = _moving(start, successor, probability, bounds[:, 1].copy())
    forward = start, successor, _condition(start, successor, probability, success, moving)
    graph = Graph(success, moving, *forward, *_reversed(*forward), *_horizon(*forward, STEPS))
    return Conditioned(graph, order, place, bounds[place, 0], bounds[place, 1])
