"""Known chains, and random ones against a dense solve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriter.markov.absorption import absorption_probabilities, exact_rows, series_rows
from rewriter.markov.chain import Chain, chain_of
from rewriter.markov.counts import Counts, counts_of

WORKED = counts_of(
    [("a", "b", 30), ("a", "c", 40), ("b", "c", 20), ("b", "a", 2), ("c", "b", 5)],
    [("a", 5, 25), ("b", 10, 18), ("c", 180, 15)],
)


def dense_rows(chain: Chain) -> np.ndarray:
    """C by the textbook: invert I - Q. For chains of a handful of states only."""
    N = np.linalg.inv(np.eye(len(chain.states)) - chain.Q.toarray())
    return N * chain.R[:, 0]


def test_the_worked_example_comes_out_to_four_digits():
    chain = chain_of(WORKED)
    C = series_rows(chain, np.arange(3), 1e-10).C.toarray()
    expected = [[0.0506, 0.0634, 0.4787], [0.0020, 0.2046, 0.3830], [0.0001, 0.0051, 0.9096]]
    assert np.allclose(C, expected, atol=5e-5)
    assert np.allclose(absorption_probabilities(chain)[:, 0], [0.5928, 0.5896, 0.9147], atol=5e-5)


def test_gamblers_ruin_has_its_textbook_solution():
    # A fair game on 1..4 with ruin at 0 and the goal at 5: the goal is reached from k with probability k / 5.
    moves = [(f"{k}", f"{k + d}", 1.0) for k in range(1, 5) for d in (-1, 1) if 1 <= k + d <= 4]
    chain = chain_of(counts_of(moves, [("1", 0.0, 1.0), ("4", 1.0, 0.0)]))
    assert np.allclose(absorption_probabilities(chain)[:, 0], [0.2, 0.4, 0.6, 0.8])
    assert np.allclose(series_rows(chain, np.arange(4), 1e-12).C.sum(axis=1), [0.2, 0.4, 0.6, 0.8], atol=1e-9)


def test_a_trapped_class_is_named_and_the_rest_still_solves():
    counts = counts_of([("a", "b", 1.0), ("a", "x", 1.0), ("x", "y", 1.0), ("y", "x", 1.0)], [("b", 3.0, 1.0)])
    chain = chain_of(counts)
    assert [chain.states[t] for t in chain.trapped] == ["x", "y"]
    B = absorption_probabilities(chain)
    assert np.allclose(B[counts.states.index("a")], [0.75, 0.25])
    assert np.allclose(B[counts.states.index("x")], [0.0, 0.0])


def test_a_cycle_is_summed_to_its_end():
    # a -> b -> a ..., each step leaves with 1/2: from a, success through b is 1/2 * 1/2 / (1 - 1/4) = 1/3.
    chain = chain_of(counts_of([("a", "b", 1.0), ("b", "a", 1.0)], [("a", 0.0, 1.0), ("b", 1.0, 0.0)]))
    assert series_rows(chain, np.array([0]), 1e-12).C.toarray()[0] == pytest.approx([0.0, 1 / 3])


def test_a_single_state_keeps_its_own_success():
    chain = chain_of(counts_of([], [("a", 3.0, 1.0)]))
    assert series_rows(chain, np.array([0]), 1e-6).C.toarray().tolist() == [[0.75]]


@st.composite
def random_counts(draw: st.DrawFn) -> Counts:
    n = draw(st.integers(1, 7))
    weights = st.sampled_from([0.0, 0.0, 1.0, 2.5, 10.0])
    edges = [(f"s{i}", f"s{j}", draw(weights)) for i in range(n) for j in range(n) if i != j]
    ends = [(f"s{i}", draw(weights), draw(weights)) for i in range(n)]
    return counts_of(edges, ends)


@settings(max_examples=150, deadline=None)
@given(random_counts(), st.sampled_from([1e-1, 1e-2, 1e-4, 1e-9]))
def test_series_exact_and_dense_agree_within_the_stated_bound(counts: Counts, tolerance: float):
    chain = chain_of(counts)
    sources = np.arange(len(counts.states))
    reference = dense_rows(chain)
    series = series_rows(chain, sources, tolerance)
    gap = reference - series.C.toarray()
    assert (gap <= series.bound[:, None]).all()
    assert (gap >= -1e-9).all()
    assert np.allclose(exact_rows(chain, sources).C.toarray(), reference, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(random_counts())
def test_rows_of_c_sum_to_the_absorption_probability(counts: Counts):
    chain = chain_of(counts)
    sums = series_rows(chain, np.arange(len(counts.states)), 1e-12).C.sum(axis=1)
    assert np.allclose(sums, absorption_probabilities(chain)[:, 0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(random_counts(), st.randoms(use_true_random=False))
def test_relabelling_states_and_adding_an_unrelated_component_change_nothing(counts: Counts, random):
    names = [f"z{k}" for k in range(len(counts.states))]
    random.shuffle(names)
    rename = dict(zip(counts.states, names, strict=True))
    edges = [
        (rename[counts.states[i]], rename[counts.states[j]], w)
        for i, j, w in zip(counts.source.tolist(), counts.target.tolist(), counts.weight.tolist(), strict=True)
    ]
    ends = [(rename[s], counts.success[k], counts.failure[k]) for k, s in enumerate(counts.states)]
    other = counts_of([*edges, ("alone", "together", 2.0)], [*ends, ("together", 1.0, 1.0)])
    place = [other.states.index(rename[s]) for s in counts.states]
    before = series_rows(chain_of(counts), np.arange(len(counts.states)), 1e-12).C.toarray()
    after = series_rows(chain_of(other), np.array(place), 1e-12).C.toarray()
    assert np.allclose(before, after[:, place], atol=1e-9)
