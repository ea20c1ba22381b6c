"""The Arrow edge of the solver: tables of edges, outcomes and allowed pairs in, a judged row for each pair out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rewriter.markov.absorption import Listed, Solved, solve_sources
from rewriter.markov.chain import chain_of
from rewriter.markov.conditioned import conditioned
from rewriter.markov.counts import Counts, Floats, Ints, merge_edges, sums
from rewriter.markov.push import CERTIFIED, TIED
from rewriter.settings import Mine


def _ints(table: pa.Table, name: str) -> Ints:
    return np.asarray(table.column(name).to_numpy(), np.int64)


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(), np.float64)


def _counts(edges: pa.Table, outcomes: pa.Table, states: Ints) -> Counts:
    """The counts of states numbered by their place among all; repeated rows add up.

    Raises
    ------
    ValueError
        If a weight is negative, infinite or no number.
    """
    n = len(states)
    for table, name in ((edges, "weight"), (outcomes, "success"), (outcomes, "failure")):
        if not (np.isfinite(_floats(table, name)) & (_floats(table, name) >= 0)).all():
            raise ValueError(f"column '{name}': expected finite weights of at least 0")
    state = np.searchsorted(states, _ints(outcomes, "state"))
    source, target = (np.searchsorted(states, _ints(edges, name)) for name in ("source", "target"))
    success, failure = (sums(state, _floats(outcomes, name), n) for name in ("success", "failure"))
    return Counts(*merge_edges(source, target, _floats(edges, "weight"), n), success, failure)


def _grouped(source: Ints, rewrite: Ints) -> tuple[Ints, Listed, Ints]:
    """Distinct sources, what each lists, and the row that each listed one came from.

    Raises
    ------
    ValueError
        If a pair is listed twice, or a state as its own rewrite.
    """
    rows = np.argsort(source, kind="stable")
    sources, first = np.unique(source[rows], return_index=True)
    pairs = np.unique(np.column_stack([source, rewrite]), axis=0)
    if len(pairs) < len(source) or (source == rewrite).any():
        raise ValueError("table 'candidates': expected each pair once and no state as its own rewrite")
    return sources, Listed(np.append(first, len(rows)).astype(np.int64), rewrite[rows]), rows


def solve(edges: pa.Table, outcomes: pa.Table, candidates: pa.Table, settings: Mine, threads: int) -> pa.Table:
    """Judge each allowed pair by the success that passes through its rewrite.

    Parameters
    ----------
    edges : table of source, target (int64), weight (double)
    outcomes : table of state (int64), success, failure (double)
    candidates : table of source, rewrite (int64)
        Allowed pairs, each once; a source's rows in the order in which equals are preferred.
    settings : Mine
        ``tolerance`` is the largest error of C that is worth no more work once the best is certified.
    threads : int
        The answer does not depend on it.

    Returns
    -------
    table of k rows, in the order of the candidates
        source, rewrite, passing ``C_ij``, staying ``C_ii`` and absorbed ``B_iS``, none further below the true value than
        ``bound``; is_best: the best of the source's pairs; certified: which of them and staying is best is proven, be it by
        the difference alone, which can be known better than ``bound``; is_tie: it is proven that nothing beats the best by
        more than rounding. Neither: the work that one row may take was done.

    Raises
    ------
    ArithmeticError
        Naming a state whose row of C does not sum to its chance of success.
    ValueError
        If a weight is no weight, or a pair is listed twice, or a state as its own rewrite.
    """
    source, rewrite = _ints(candidates, "source"), _ints(candidates, "rewrite")
    known = (_ints(edges, "source"), _ints(edges, "target"), _ints(outcomes, "state"), source, rewrite)
    states = np.unique(np.concatenate(known))
    counts = _counts(edges, outcomes, states)
    sources, listed, rows = _grouped(np.searchsorted(states, source), np.searchsorted(states, rewrite))
    solved = solve_sources(conditioned(chain_of(counts)), sources, listed, settings.tolerance, threads)
    back = np.empty(len(rows), np.int64)
    back[rows] = np.arange(len(rows))
    judged = _judged(solved, listed)
    return pa.table({"source": source, "rewrite": rewrite} | {name: values[back] for name, values in judged.items()})


def _judged(solved: Solved, listed: Listed) -> dict[str, np.ndarray]:
    """Columns of the listed pairs, in their own order."""
    answers = solved.answers
    of = np.repeat(np.arange(len(answers.best)), np.diff(listed.start))
    return {
        "passing": solved.C,
        "staying": answers.staying[of],
        "absorbed": solved.absorbed[of],
        "bound": answers.bound[of],
        "is_best": listed.state == answers.best[of],
        "certified": answers.known[of] == CERTIFIED,
        "is_tie": answers.known[of] == TIED,
    }
