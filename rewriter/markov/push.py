"""A row of C by local pushes, forward and backward: the compiled kernel.

Definitions. Q, R, N, B, C are those of the package; everything here is about success: ``R_k`` is R_kS and ``B_k`` is B_kS.
``w >= Q B`` is a bound on the chance of moving on from a state and succeeding elsewhere. With it (Doob's transform)

    A_kj = Q_kj w_j / w_k    (onward),    K_kj = Q_kj R_j / w_k    (settling),    row sums of A + K at most 1,

so that ``C = diag(R) + diag(w) M K`` with ``M = (I - A)^-1``, and every entry of M K is at most 1.

Forward. A row keeps ``c`` and ``r >= 0`` with ``C_ij = c_j + sum_k r_k (M K)_kj``; at first, c is R_i and r is w_i, both at
i. To *push* state k is to add ``r_k K_kj`` to each c_j and ``r_k A_kj`` to each r_j, and to clear r_k. So for every j

    0 <= C_ij - c_j <= E,    E = sum_k r_k.

Pushing the largest residuals first is the Neumann series ``N = I + Q + Q^2 + ...``, asynchronous and pruned, and what was
pruned is kept: a smaller error continues where the larger one stopped.

Backward. Of two states j and l nearly as good, only the difference matters. Keep x and y (signed) with
``M (K_j - K_l) = x + M y`` for columns K_j and K_l, at first x = 0 and y = K_j - K_l; to push k is to move y_k to x_k and
``A_hk y_k`` to y_h for each predecessor h. With ``u = 1 - A^T 1``, the chance of leaving within T steps, and
``v = (I + A + ... + A^(T-1)) 1``, ``M u = v``. So C_ij - C_il lies between

    d - V max_k (-y_k / u_k)   and   d + V max_k (y_k / u_k),    d = c_j - c_l + sum_k r_k x_k,    V = sum_k r_k v_k:

a product of two errors. What two equal states share cancels in y, so exact ties are proven as well.

Rounding. All terms but x and y are sums of products of non-negative floats, so an entry is off by at most the relative error
of one operation times the operations on its longest chain, which are fewer than eight for each edge and state walked.

References
----------
Kemeny and Snell, Finite Markov Chains, 1960, ch. 3 (N, B); Doob, Bull. SMF 85, 1957 (conditioning); Andersen, Chung and
Lang, FOCS 2006 (forward push); Andersen et al., WAW 2007 (backward push); Lofgren et al., KDD 2014 (both together).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rewriter.markov.compiled import AHEAD, Ints32, compiled, prefetch
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.sparse_row import Row, add, clear, has_room, place_of

#: A gap below this is a tie: smaller than any count could show, larger than the rounding of all the work a row may take.
TIE = 1e-9
#: What is known of a row's argmax.
OPEN, CERTIFIED, TIED = 0, 1, 2
#: T. A longer horizon finds more states that leave within it, and doubts the rest for longer.
STEPS = 4
#: Eight operations of relative error eps / 2.
ROUNDING = 4 * float(np.finfo(np.float64).eps)


class Graph(NamedTuple):
    """The conditioned chain, both ways; n states, e edges."""

    settled: Floats  # (n,) R
    moving: Floats  # (n,) w
    start: Ints  # (n + 1,) of each source's edges
    successor: Ints32  # (e,)
    step: Floats  # (e, 2) A and K
    back_start: Ints  # (n + 1,) of each target's edges
    predecessor: Ints32  # (e,)
    back_step: Floats  # (e, 2) A and K
    leaving: Floats  # (n,) u, rounded down
    lasting: Floats  # (n,) v, rounded up


@compiled
def begin(graph: Graph, row: Row, source: int) -> None:
    """Make the row that of a source, not pushed yet."""
    clear(row)
    add(row, source, graph.moving[source], graph.settled[source])


@compiled
def _ask(start: Ints, other: Ints32, step: Floats, state: int) -> None:
    """Ask for the edges of a state ahead of their use."""
    prefetch(other, start[state])
    prefetch(step, start[state])


@compiled
def push_forward(graph: Graph, row: Row, error: float) -> float:
    """Push every state that holds at least half the mean residual once; returns E."""
    n = row.size[0]
    least = error / (2 * n)
    for slot in range(n):
        if slot + AHEAD < n and row.travelling[slot + AHEAD] >= least:
            _ask(graph.start, graph.successor, graph.step, row.state[slot + AHEAD])
        mass = row.travelling[slot]
        if mass < least or mass == 0.0:
            continue
        first, last = graph.start[row.state[slot]], graph.start[row.state[slot] + 1]
        if not has_room(row, last - first):
            continue
        row.travelling[slot] = 0.0
        for edge in range(first, last):
            prefetch(graph.start, graph.successor[edge])
            add(row, graph.successor[edge], mass * graph.step[edge, 0], mass * graph.step[edge, 1])
        row.size[2] += last - first + 1
    error = 0.0
    for slot in range(row.size[0]):
        error += row.travelling[slot]
    return error


@compiled
def waiting(graph: Graph, row: Row) -> float:
    """V, what a row's residuals may still do."""
    total = 0.0
    for slot in range(row.size[0]):
        total += row.travelling[slot] * graph.lasting[row.state[slot]]
    return total


@compiled
def _push_backward(graph: Graph, row: Row, rival: Row, least: float, budget: int) -> float:
    """Push every state of the difference with ``|y| >= least u`` once; returns what d gained.

    One with more predecessors than the budget waits: what all the world leads to would cost more than all the rest.
    """
    gained, n = 0.0, rival.size[0]
    for slot in range(n):
        if slot + AHEAD < n:
            _ask(graph.back_start, graph.predecessor, graph.back_step, rival.state[slot + AHEAD])
        mass, state = rival.travelling[slot], rival.state[slot]
        if mass == 0.0 or abs(mass) < least * graph.leaving[state]:
            continue
        first, last = graph.back_start[state], graph.back_start[state + 1]
        if last - first > budget or not has_room(rival, last - first):
            continue
        rival.travelling[slot] = 0.0
        rival.settled[slot] += mass
        here = row.table[place_of(row, state)]
        if here >= 0:
            gained += mass * row.travelling[here]
        for edge in range(first, last):
            prefetch(graph.back_start, graph.predecessor[edge])
            prefetch(graph.leaving, graph.predecessor[edge])
            add(rival, graph.predecessor[edge], mass * graph.back_step[edge, 0], 0.0)
        rival.size[2] += last - first + 1
    return gained


@compiled
def _extremes(graph: Graph, rival: Row) -> tuple[float, float]:
    """``max_k y_k / u_k`` and ``max_k -y_k / u_k``, each at least zero."""
    positive, negative = 0.0, 0.0
    for slot in range(rival.size[0]):
        mass, leaving = rival.travelling[slot], graph.leaving[rival.state[slot]]
        if mass > positive * leaving:
            positive = mass / leaving
        elif -mass > negative * leaving:
            negative = -mass / leaving
    return positive, negative


@compiled
def _add_column(graph: Graph, rival: Row, state: int, sign: float, budget: int) -> bool:
    """Add a column of K to y; whether the budget and the row had room for it."""
    first, last = graph.back_start[state], graph.back_start[state + 1]
    if last - first > budget or not has_room(rival, last - first):
        return False
    for edge in range(first, last):
        prefetch(graph.back_start, graph.predecessor[edge])
        prefetch(graph.leaving, graph.predecessor[edge])
        add(rival, graph.predecessor[edge], sign * graph.back_step[edge, 1], 0.0)
    rival.size[2] += last - first + 1
    return True


@compiled
def compare(graph: Graph, row: Row, rival: Row, j: int, other: int, V: float, both: bool, budget: int) -> int:
    """Whether the state in slot j is proven CERTIFIED above the one in another slot, -CERTIFIED below, TIED, or OPEN.

    Unless ``both``, what j may still gain is left out: only its being above can be proven, for half the work.
    """
    clear(rival)
    has_rival = _add_column(graph, rival, row.state[other], -1.0, budget)
    if not has_rival or (both and not _add_column(graph, rival, row.state[j], 1.0, budget)):
        return OPEN
    d = row.settled[j] - row.settled[other]
    while True:
        positive, negative = _extremes(graph, rival)
        rounding = 4 * ROUNDING * (row.size[2] + rival.size[2] + 8)
        if d - V * negative > rounding:
            return CERTIFIED
        if both and d + V * positive < -rounding:
            return -CERTIFIED
        if both and abs(d) + V * max(positive, negative) + rounding <= TIE:
            return TIED
        walked = rival.size[2]
        if walked > budget:
            return OPEN
        d += _push_backward(graph, row, rival, max(positive, negative) / 4, budget)
        if rival.size[2] == walked:
            return OPEN
