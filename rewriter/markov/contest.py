"""Which state wins each row: pushing until the argmax is proven, a tie is proven, or the work allowed is done."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.compiled import Ints32, compiled
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.push import CERTIFIED, OPEN, ROUNDING, TIE, TIED, Graph, begin, compare, push_forward, waiting
from rewriter.markov.sparse_row import Row, add, has_room, new_row

#: Edges and states one row may walk; a row that needs more is left open.
MOST_WORK = 1 << 19
#: Walked before the first backward comparison; each later one waits for, and may walk, PATIENCE times as many.
FIRST_WORK = 32
PATIENCE = 2
#: Up to this budget only the rival's side of a comparison is walked, not the leader's.
ONE_SIDED = 256
#: More states than this within the error are first thinned out by pushing forward.
MOST_CONTENDERS = 12


@compiled
def is_full(row: Row) -> bool:
    """Whether the work allowed is done, or the row could not take in as many states again."""
    return row.size[2] > MOST_WORK or not has_room(row, row.size[0])


@compiled
def _leaders(row: Row, n: int) -> tuple[int, float]:
    """The slot with the most success among the first n, and the runner-up's success."""
    top, second = 0, 0.0
    for slot in range(1, n):
        value = row.settled[slot]
        if value > row.settled[top]:
            top, second = slot, row.settled[top]
        elif value > second:
            second = value
    return top, second


@compiled
def _first_of_equals(row: Row, n: int, top: int, slack: float) -> int:
    """The first of the first n slots that ties with the leader, the source's own last."""
    for slot in range(1, n):
        if row.settled[top] - row.settled[slot] + slack <= TIE:
            return slot
    return top


@compiled
def _contest(graph: Graph, row: Row, rival: Row, n: int, top: int, error: float, budget: int) -> tuple[int, int]:
    """Compare the leader with each of the first n slots that the error lets past it: what is known, and the leader."""
    slack = error + ROUNDING * (row.size[2] + 8)
    contenders = np.empty(MOST_CONTENDERS, np.int64)
    found = 0
    for slot in range(n):
        if slot != top and row.settled[slot] + slack >= row.settled[top]:
            if found == MOST_CONTENDERS:
                return OPEN, top
            contenders[found] = slot
            found += 1
    known, V = CERTIFIED, waiting(graph, row)
    for slot in contenders[:found]:
        result = compare(graph, row, rival, top, slot, V, budget > ONE_SIDED, budget)
        if result == OPEN or (result == -CERTIFIED and known == TIED):
            return OPEN, top
        if result == TIED:
            known = TIED
        # Staying gives way to an equal rewrite, and a rewrite to an equal one listed or found before it.
        if result == -CERTIFIED or (result == TIED and slot > 0 and (top == 0 or slot < top)):
            top = slot
    return known, top


@compiled
def _decide(graph: Graph, row: Row, rival: Row, n_listed: int, tolerance: float) -> tuple[int, int, float]:
    """Push until the argmax is known and the error at most the tolerance, or no work is left: what is known, leader, E.

    The first ``n_listed + 1`` slots compete, the source's own first; all of them where it is negative.
    """
    error, budget, known, top = row.travelling[0], FIRST_WORK, OPEN, 0
    while True:
        walked = row.size[2]
        error = push_forward(graph, row, error)
        is_stuck = row.size[2] == walked
        n = row.size[0] if n_listed < 0 else n_listed + 1
        slack = error + ROUNDING * (row.size[2] + 8)
        if known == OPEN:
            top, second = _leaders(row, n)
            gap = row.settled[top] - second
            if gap > slack:
                known = CERTIFIED
            elif gap + slack <= TIE:
                known, top = TIED, _first_of_equals(row, n, top, slack)
            elif (is_stuck or row.size[2] > budget) and (n_listed >= 0 or row.settled[top] > slack):
                known, top = _contest(graph, row, rival, n, top, error, budget)
                budget *= PATIENCE
        if (known != OPEN and error <= tolerance) or is_stuck or is_full(row):
            return known, top, slack


class Answers(NamedTuple):
    """What each of m sources' rows say; ``best`` is -1 where nothing competes with staying."""

    known: NDArray[np.int8]
    best: Ints
    passing: Floats  # C at best
    staying: Floats  # C at the source
    total: Floats  # of c over the whole row
    bound: Floats  # E, rounding included


@compiled
def _report(row: Row, n: int, top: int, answers: Answers, k: int) -> None:
    """Write the k-th answer; a leader that stays gives way to the best of the others, the first listed of equals."""
    best = top
    if top == 0:
        best = min(1, n - 1)
        for slot in range(2, n):
            if row.settled[slot] > row.settled[best] + TIE:
                best = slot
    total = 0.0
    for slot in range(row.size[0]):
        total += row.settled[slot]
    answers.best[k] = row.state[best] if best > 0 else -1
    answers.passing[k] = row.settled[best] if best > 0 else 0.0
    answers.staying[k], answers.total[k] = row.settled[0], total


@compiled
def solve_rows(
    graph: Graph, turn: Ints, sources: Ints32, start: Ints, listed: Ints32, tolerance: float, answers: Answers, C: Floats
) -> None:
    """Answer the sources whose turn it is; the k-th lists ``listed[start[k]:start[k + 1]]``, in order of preference.

    Without any ``start`` every state competes. C, as long as ``listed``, is filled with the listed entries.
    """
    row, rival = new_row(), new_row()
    every = len(start) == 0
    for k in turn:
        begin(graph, row, sources[k])
        n_listed = -1
        if not every:
            n_listed = start[k + 1] - start[k]
            for state in listed[start[k] : start[k + 1]]:
                add(row, state, 0.0, 0.0)
        known, top, bound = _decide(graph, row, rival, n_listed, tolerance)
        _report(row, row.size[0] if every else n_listed + 1, top, answers, k)
        answers.known[k], answers.bound[k] = known, bound
        if not every:
            C[start[k] : start[k + 1]] = row.settled[1 : n_listed + 1]


@compiled
def settled_row(graph: Graph, source: int, tolerance: float) -> tuple[Ints32, Floats, float]:
    """The states that one row of C touches, their c, and the bound, pushed to the tolerance or as far as work allows."""
    row = new_row()
    begin(graph, row, source)
    error = graph.moving[source]
    while True:
        walked = row.size[2]
        error = push_forward(graph, row, error)
        if error <= tolerance or row.size[2] == walked or is_full(row):
            break
    n = row.size[0]
    return row.state[:n].copy(), row.settled[:n].copy(), error + ROUNDING * (row.size[2] + 8)
