"""Q, R and the states that never end."""

from __future__ import annotations

import numpy as np

from rewriter.markov.chain import chain_of, trapped_states
from rewriter.markov.conditioned import conditioned
from rewriter.markov.counts import counts_of

TRAP = [("a", "b", 1.0), ("a", "x", 1.0), ("x", "y", 1.0), ("y", "x", 1.0), ("w", "x", 4.0)]


def test_rows_of_q_and_r_are_the_shares_of_the_counts():
    counts, names = counts_of([("a", "b", 30), ("a", "c", 40), ("c", "b", 5)], [("a", 5, 25), ("b", 1, 0), ("c", 15, 0)])
    chain = chain_of(counts)
    assert names == ("a", "b", "c")
    assert chain.Q.toarray().tolist() == [[0.0, 0.3, 0.4], [0.0, 0.0, 0.0], [0.0, 0.25, 0.0]]
    assert chain.R.tolist() == [[0.05, 0.25], [1.0, 0.0], [0.75, 0.0]]
    assert chain.trapped.tolist() == []


def test_a_trapped_class_and_what_only_leads_into_it_are_named():
    counts, names = counts_of(TRAP, [("b", 3.0, 1.0)])
    assert [names[t] for t in trapped_states(counts)] == ["w", "x", "y"]


def test_weight_into_a_trapped_class_says_nothing_about_its_source():
    counts, names = counts_of(TRAP, [("b", 3.0, 1.0)])
    chain = chain_of(counts)
    a, b = names.index("a"), names.index("b")
    assert chain.Q[a, b] == 1.0
    trapped = list(chain.trapped)
    assert chain.Q[trapped].nnz == 0
    assert chain.R[trapped].sum() == 0.0


def test_a_state_without_any_count_is_trapped():
    counts, _ = counts_of([("a", "b", 2.0)], [("a", 1.0, 1.0)])
    assert trapped_states(counts).tolist() == [1]


def test_failure_alone_is_a_way_out_but_does_not_reach_success():
    counts, names = counts_of([("a", "b", 2.0), ("c", "a", 1.0)], [("b", 0.0, 1.0), ("c", 1.0, 0.0)])
    chain = chain_of(counts)
    assert len(chain.trapped) == 0
    assert [names[k] for k in np.flatnonzero(conditioned(chain).upper)] == ["c"]
