"""Rows of C, the success that passes through each state, with a bound; and the best state of each, certified."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rewriter.markov.chain import Chain
from rewriter.markov.conditioned import Conditioned, conditioned
from rewriter.markov.contest import Answers, settled_row, solve_rows
from rewriter.markov.counts import Floats, Ints
from rewriter.markov.push import TIE
from rewriter.markov.sparse_row import CAPACITY

#: Sources a thread answers before it takes the next block.
BLOCK = 2048


@dataclass(frozen=True)
class Listed:
    """The rewrites that m sources may take, k in all.

    Attributes
    ----------
    start : (m + 1,) int
        Those of the s-th source are ``state[start[s]:start[s + 1]]``.
    state : (k,) int
        Each source's once, itself not among them, in the order in which equals are preferred.
    """

    start: Ints
    state: Ints


#: Every other state may be the rewrite.
EVERY = Listed(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Solved:
    """Answers for m sources, and C at the listed rewrites, (k,); none where every state competed."""

    answers: Answers
    absorbed: Floats
    C: Floats


def _blank(m: int) -> Answers:
    return Answers(np.zeros(m, np.int8), np.zeros(m, np.int64), *(np.zeros(m) for _ in range(4)))


def solve_sources(
    chain: Conditioned, sources: Ints, listed: Listed = EVERY, tolerance: float = 1.0, threads: int = 1
) -> Solved:
    """The best rewrite of each source, certified, a tie, or left open.

    Parameters
    ----------
    chain : Conditioned
    sources : (m,) int
    listed : Listed
        What may be the rewrite of each source; by default every other state.
    tolerance : float
        Rows go on until no entry is further below the true value, certified or not.
    threads : int
        The answers do not depend on it.

    Raises
    ------
    ArithmeticError
        Naming a state whose row of C does not sum to its chance of success.
    ValueError
        If a source lists more rewrites than one row can hold.
    """
    most = int(np.diff(listed.start).max(initial=0))
    if most >= CAPACITY:
        raise ValueError(f"a source lists {most:,} rewrites; expected fewer than {CAPACITY:,}")
    answers, C = _blank(len(sources)), np.zeros(len(listed.state))
    places, listed_places = chain.place[sources], chain.place[listed.state]
    # Neighbours one after the other: what one row reads, the next finds in cache.
    turn = np.argsort(places, kind="stable")

    def block(low: int) -> None:
        solve_rows(chain.graph, turn[low : low + BLOCK], places, listed.start, listed_places, tolerance, answers, C)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, range(0, len(sources), BLOCK)))
    has_best = answers.best >= 0
    answers.best[has_best] = chain.order[answers.best[has_best]]
    check_rows(chain, sources, answers.total, answers.bound)
    low = np.maximum(answers.total, chain.lower[sources])
    high = np.minimum(answers.total + answers.bound, chain.upper[sources])
    return Solved(answers, (low + high) / 2, C)


def check_rows(chain: Conditioned, sources: Ints, total: Floats, bound: Floats) -> None:
    """Check that rows of C sum to B_S, which the sweeps have bounded without them.

    Raises
    ------
    ArithmeticError
        Naming the first state whose row does not.
    """
    wrong = ~((total <= chain.upper[sources] + TIE) & (total + bound >= chain.lower[sources] - TIE))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        state, missing = sources[k], f"missing at most {bound[k]}"
        expected = f"{chain.lower[state]} to {chain.upper[state]}"
        raise ArithmeticError(f"row of state {state} sums to {total[k]}, {missing}; expected {expected}")


@dataclass(frozen=True)
class Absorption:
    """Rows of C for m sources.

    Attributes
    ----------
    sources : (m,) int
    C : (m, n) sparse
        ``N[i, j] R[j, S]``, never above the true value by more than rounding.
    bound : (m,) float
        No entry of the row is further below the true value than this.
    """

    sources: Ints
    C: sparse.csr_array
    bound: Floats


def series_rows(chain: Chain, sources: Ints, tolerance: float) -> Absorption:
    """Whole rows of C for a few sources, each pushed until its bound is at most the tolerance or its work is done."""
    sources = np.asarray(sources, np.int64)
    success = conditioned(chain)
    rows = [settled_row(success.graph, int(success.place[source]), tolerance) for source in sources]
    start = np.cumsum([0, *(len(places) for places, _, _ in rows)])
    states: NDArray[np.int32] = np.concatenate([success.order[places] for places, _, _ in rows] or [np.zeros(0, np.int32)])
    values: Floats = np.concatenate([values for _, values, _ in rows] or [np.zeros(0)])
    C = sparse.csr_array((values, states, start), shape=(len(sources), chain.n_states))
    bound = np.array([bound for _, _, bound in rows])
    total: Floats = np.asarray(C.sum(axis=1), np.float64).ravel()
    check_rows(success, sources, total, bound)
    return Absorption(sources, C, bound)
