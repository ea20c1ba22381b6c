"""Known chains, and random ones against exact fractions, a sparse LU and a dense inverse."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.linalg import splu

from rewriter.markov.absorption import EVERY, Listed, check_rows, series_rows, solve_sources
from rewriter.markov.chain import Chain, chain_of
from rewriter.markov.conditioned import conditioned
from rewriter.markov.counts import Counts, counts_of, merge_edges
from rewriter.markov.push import CERTIFIED, OPEN, TIE, TIED, begin, compare, push_forward, waiting
from rewriter.markov.sparse_row import CAPACITY, new_row, place_of

WORKED = counts_of(
    [("a", "b", 30), ("a", "c", 40), ("b", "c", 20), ("b", "a", 2), ("c", "b", 5)],
    [("a", 5, 25), ("b", 10, 18), ("c", 180, 15)],
)[0]


def chain_from(edges: list[tuple[str, str, float]], ends: list[tuple[str, float, float]]) -> Chain:
    return chain_of(counts_of(edges, ends)[0])


def dense_rows(chain: Chain) -> np.ndarray:
    """C by the textbook: invert I - Q. For chains of a handful of states only."""
    return np.linalg.inv(np.eye(chain.n_states) - chain.Q.toarray()) * chain.R[:, 0]


def factored_rows(chain: Chain) -> np.ndarray:
    """C by one sparse LU of ``I - Q``: row i of N solves ``(I - Q)^T x = e_i``."""
    system = sparse.csc_array(sparse.eye_array(chain.n_states) - chain.Q)
    return splu(system.T.tocsc()).solve(np.eye(chain.n_states)).T * chain.R[:, 0]


def exact_rows(counts: Counts) -> list[list[Fraction]]:
    """C in rational numbers, from the counts themselves, by Gauss and Jordan; no state may be trapped."""
    n = counts.n_states
    rows = [[Fraction(0)] * n for _ in range(n)]
    for i, j, w in zip(counts.source.tolist(), counts.target.tolist(), counts.weight.tolist(), strict=True):
        rows[i][j] = Fraction(w)
    total = [sum(rows[k]) + Fraction(counts.success[k]) + Fraction(counts.failure[k]) for k in range(n)]
    system = [
        [(i == j) - rows[i][j] / total[i] for j in range(n)] + [Fraction(int(i == j)) for j in range(n)] for i in range(n)
    ]
    for k in range(n):
        pivot = next(i for i in range(k, n) if system[i][k])
        system[k], system[pivot] = system[pivot], system[k]
        system[k] = [value / system[k][k] for value in system[k]]
        for i in range(n):
            if i != k and system[i][k]:
                factor = system[i][k]
                system[i] = [a - factor * b for a, b in zip(system[i], system[k], strict=True)]
    return [[system[i][n + j] * Fraction(counts.success[j]) / total[j] for j in range(n)] for i in range(n)]


def slow_pair(absorption: float) -> Chain:
    """Two states that send each other back and forth, and rarely end."""
    return chain_from([("a", "b", 1 - absorption), ("b", "a", 1 - absorption)], [("a", 0, absorption), ("b", absorption, 0)])


def test_the_worked_example_comes_out_to_four_digits():
    chain = chain_of(WORKED)
    rows = series_rows(chain, np.arange(3), 1e-10)
    expected = [[0.0506, 0.0634, 0.4787], [0.0020, 0.2046, 0.3830], [0.0001, 0.0051, 0.9096]]
    assert np.allclose(rows.C.toarray(), expected, atol=5e-5)
    assert np.allclose(rows.C.sum(axis=1), [0.5928, 0.5896, 0.9147], atol=5e-5)


def test_the_worked_example_rewrites_a_and_b_to_c_and_c_stays():
    solved = solve_sources(conditioned(chain_of(WORKED)), np.arange(3), tolerance=1e-9)
    answers = solved.answers
    assert answers.known.tolist() == [CERTIFIED] * 3
    assert answers.best.tolist() == [2, 2, 1]
    assert (answers.passing > answers.staying).tolist() == [True, True, False]
    assert np.allclose(solved.absorbed, [0.5928, 0.5896, 0.9147], atol=5e-5)


def test_gamblers_ruin_has_its_textbook_solution():
    # A fair game on 1..4 with ruin at 0 and the goal at 5: the goal is reached from k with probability k / 5.
    moves = [(f"{k}", f"{k + d}", 1.0) for k in range(1, 5) for d in (-1, 1) if 1 <= k + d <= 4]
    chain = chain_from(moves, [("1", 0.0, 1.0), ("4", 1.0, 0.0)])
    success = conditioned(chain)
    assert np.allclose(success.lower, [0.2, 0.4, 0.6, 0.8])
    assert np.allclose(success.upper, [0.2, 0.4, 0.6, 0.8])
    assert np.allclose(series_rows(chain, np.arange(4), 1e-12).C.sum(axis=1), [0.2, 0.4, 0.6, 0.8], atol=1e-9)


def test_a_trapped_class_has_zero_rows_and_the_rest_still_solves():
    edges = [("a", "b", 1.0), ("a", "x", 1.0), ("x", "y", 1.0), ("y", "x", 1.0)]
    solved = solve_sources(conditioned(chain_from(edges, [("b", 3.0, 1.0)])), np.arange(4), tolerance=1e-9)
    assert np.allclose(solved.absorbed, [0.75, 0.75, 0.0, 0.0], atol=1e-9)
    assert solved.answers.best[0] == 1
    assert solved.answers.passing[2:].tolist() == [0.0, 0.0]
    assert CERTIFIED not in solved.answers.known[2:]


def test_a_cycle_is_summed_to_its_end():
    # a -> b -> a ..., each step leaves with 1/2: from a, success through b is 1/2 * 1/2 / (1 - 1/4) = 1/3.
    chain = chain_from([("a", "b", 1.0), ("b", "a", 1.0)], [("a", 0.0, 1.0), ("b", 1.0, 0.0)])
    assert series_rows(chain, np.array([0]), 1e-12).C.toarray()[0] == pytest.approx([0.0, 1 / 3])


def test_a_single_state_keeps_its_own_success_and_has_no_rewrite():
    success = conditioned(chain_from([], [("a", 3.0, 1.0)]))
    solved = solve_sources(success, np.array([0]))
    assert (solved.answers.best[0], solved.answers.staying[0]) == (-1, 0.75)
    assert solved.absorbed[0] == pytest.approx(0.75)
    assert solved.answers.known[0] == CERTIFIED


def test_slow_absorption_still_reaches_the_bound():
    chain = slow_pair(1e-4)
    rows = series_rows(chain, np.array([0]), 1e-6)
    assert rows.bound[0] <= 1.1e-6
    assert rows.C.toarray()[0] == pytest.approx(dense_rows(chain)[0], abs=2e-6)


def test_hopelessly_slow_absorption_ends_and_is_not_certified():
    # Three states in a ring, of which two differ by less than a million steps can show.
    edges = [("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0)]
    chain = chain_from(edges, [("a", 0.0, 1e-9), ("b", 1e-9, 0.0), ("c", 1e-9 * (1 + 1e-7), 0.0)])
    success = conditioned(chain)
    solved = solve_sources(success, np.array([0]))
    true = dense_rows(chain)[0]
    assert solved.answers.known[0] == OPEN
    assert solved.answers.passing[0] <= true.max() <= solved.answers.passing[0] + solved.answers.bound[0]


def test_a_state_with_more_successors_than_a_row_holds_leaves_its_row_open():
    n = CAPACITY + 2
    success = np.append(0.0, np.ones(n - 1))
    star = Counts(np.zeros(n - 1, np.int64), np.arange(1, n), np.ones(n - 1), success, np.zeros(n))
    solved = solve_sources(conditioned(chain_of(star)), np.array([0, 1]), Listed(np.array([0, 1, 1]), np.array([2])))
    assert solved.answers.known[0] == OPEN
    assert solved.answers.bound[0] == pytest.approx(1.0)


def test_equal_gains_are_a_tie_and_the_first_listed_is_taken():
    success = conditioned(chain_from([("a", "b", 10), ("a", "c", 10)], [("a", 0, 1), ("b", 9, 1), ("c", 9, 1)]))
    for first, second in ((1, 2), (2, 1)):
        solved = solve_sources(success, np.array([0]), Listed(np.array([0, 2]), np.array([first, second])))
        assert (solved.answers.known[0], solved.answers.best[0]) == (TIED, first)


def test_a_tie_behind_a_long_way_is_proven_by_the_difference():
    # b and c are equal and said again and again; pushing alone would need the whole ring of 400 slow states to say so.
    ring = [(f"r{k}", f"r{(k + d) % 400}", 50.0) for k in range(400) for d in (1, 7)]
    ways = [("a", "b", 1), ("a", "c", 1), ("b", "r0", 1), ("c", "r0", 1), ("r5", "a", 1)]
    ends = [("a", 0, 0), ("b", 1, 0), ("c", 1, 0), *((f"r{k}", 0.02, 1.0) for k in range(400))]
    counts, names = counts_of(ring + ways, ends)
    solved = solve_sources(conditioned(chain_of(counts)), np.array([names.index("a")]))
    assert solved.answers.known[0] == TIED
    assert names[solved.answers.best[0]] in "bc"
    assert solved.answers.bound[0] > 100 * TIE


def test_a_row_that_does_not_sum_to_its_absorption_is_named():
    success = conditioned(chain_of(WORKED))
    check_rows(success, np.array([1]), np.array([0.58]), np.array([0.01]))
    for total in (0.57, 0.60):
        with pytest.raises(ArithmeticError, match="row of state 1 sums to"):
            check_rows(success, np.array([1]), np.array([total]), np.array([0.01]))


@st.composite
def random_counts(draw: st.DrawFn, most: int = 8) -> Counts:
    n = draw(st.integers(1, most))
    weights = st.sampled_from([0.0, 0.0, 1.0, 1.0, 2.5, 10.0])
    source, target = (grid.ravel() for grid in np.indices((n, n)))
    weight = np.array(draw(st.lists(weights, min_size=n * n, max_size=n * n)))
    success, failure = (np.array(draw(st.lists(weights, min_size=n, max_size=n))) for _ in range(2))
    return Counts(*merge_edges(source, target, weight, n), success, failure)


@settings(max_examples=150, deadline=None)
@given(random_counts(), st.sampled_from([1e-1, 1e-2, 1e-4, 1e-9]))
def test_series_exact_and_dense_agree_within_the_stated_bound(counts: Counts, tolerance: float):
    chain = chain_of(counts)
    reference = dense_rows(chain)
    series = series_rows(chain, np.arange(counts.n_states), tolerance)
    gap = reference - series.C.toarray()
    assert (gap <= series.bound[:, None] + 1e-12).all()
    assert (gap >= -1e-12).all()
    assert (series.bound <= tolerance + 1e-9).all()
    assert np.allclose(factored_rows(chain), reference, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(random_counts(most=5), st.sampled_from([1e-2, 1e-9]))
def test_the_bound_holds_in_exact_arithmetic(counts: Counts, tolerance: float):
    chain = chain_of(counts)
    if len(chain.trapped):
        return
    exact = exact_rows(counts)
    series = series_rows(chain, np.arange(counts.n_states), tolerance)
    for i, row in enumerate(series.C.toarray()):
        for j, value in enumerate(row):
            # Rounding is part of the bound, so exact arithmetic gets no allowance.
            assert Fraction(value) - Fraction(series.bound[i]) <= exact[i][j] <= Fraction(value) + Fraction(series.bound[i])


@settings(max_examples=100, deadline=None)
@given(random_counts())
def test_rows_of_c_sum_to_the_absorption_probability(counts: Counts):
    chain = chain_of(counts)
    B = np.linalg.solve(np.eye(chain.n_states) - chain.Q.toarray(), chain.R[:, 0])
    solved = solve_sources(conditioned(chain), np.arange(counts.n_states), tolerance=1e-10)
    assert np.allclose(solved.answers.total, B, atol=1e-9)
    assert np.allclose(solved.absorbed, B, atol=1e-9)


def verdict(values: dict[int, float], source: int) -> tuple[int, float]:
    """The best other state and by how much the best of all leads, from true values."""
    ordered = sorted([*values.values(), 0.0], reverse=True)
    others = {state: value for state, value in values.items() if state != source}
    return max(others, key=lambda state: others[state], default=-1), ordered[0] - ordered[1]


@settings(max_examples=200, deadline=None)
@given(random_counts())
def test_certified_is_never_wrong_and_neither_is_a_tie(counts: Counts):
    chain = chain_of(counts)
    reference = dense_rows(chain)
    answers = solve_sources(conditioned(chain), np.arange(counts.n_states)).answers
    for i, row in enumerate(reference):
        best, lead = verdict(dict(enumerate(row.tolist())), i)
        assert answers.known[i] != OPEN
        assert (answers.known[i] == CERTIFIED) == (lead > TIE)
        stays = row[i] > max([0.0, *np.delete(row, i)])
        if answers.known[i] == CERTIFIED and not stays:
            assert answers.best[i] == best
        if answers.known[i] == CERTIFIED and best >= 0:
            assert (answers.staying[i] >= answers.passing[i]) == stays or answers.bound[i] > lead


@settings(max_examples=60, deadline=None)
@given(random_counts(), st.randoms(use_true_random=False))
def test_relabelling_states_and_adding_an_unrelated_component_change_nothing(counts: Counts, random):
    n = counts.n_states
    place = list(range(n + 2))
    random.shuffle(place)
    label = np.array(place)
    ends = np.zeros((2, n + 2))
    ends[:, label[:n]] = counts.success, counts.failure
    ends[:, label[n + 1]] = 1.0
    edges = merge_edges(
        np.append(label[counts.source], label[n]), np.append(label[counts.target], label[n + 1]),
        np.append(counts.weight, 2.0), n + 2,
    )  # fmt: skip
    before, after = chain_of(counts), chain_of(Counts(*edges, *ends))
    rows = series_rows(before, np.arange(n), 1e-11).C.toarray()
    moved = series_rows(after, label[:n], 1e-11).C.toarray()
    assert np.allclose(rows, moved[:, label[:n]], atol=1e-10)
    assert moved[:, label[n:]].max() == 0.0
    own = solve_sources(conditioned(before), np.arange(n)).answers
    other = solve_sources(conditioned(after), label[:n]).answers
    assert own.known.tolist() == other.known.tolist()
    # Where staying leads, the best of the others is not what was proven; -1 is no state and stays so.
    proven = (
        (own.known == CERTIFIED) & (own.passing > own.staying + own.bound) & (other.passing > other.staying + other.bound)
    )
    assert label[own.best[proven]].tolist() == other.best[proven].tolist()


@settings(max_examples=60, deadline=None)
@given(random_counts())
def test_listing_every_state_answers_as_every_state_may(counts: Counts):
    success, n = conditioned(chain_of(counts)), counts.n_states
    sources = np.arange(n)
    listed = np.array([j for i in range(n) for j in range(n) if j != i], np.int64)
    every = solve_sources(success, sources, EVERY, 1e-9)
    some = solve_sources(success, sources, Listed(np.arange(n + 1) * (n - 1), listed), 1e-9)
    assert every.answers.known.tolist() == some.answers.known.tolist()
    assert np.allclose(every.answers.passing, some.answers.passing, atol=2e-9)
    assert np.allclose(some.C, dense_rows(chain_of(counts))[sources.repeat(n - 1), listed], atol=2e-9)


def test_the_answers_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(5)
    n = 6000
    edges = merge_edges(rng.integers(0, n, 3 * n), rng.integers(0, n, 3 * n), rng.integers(1, 9, 3 * n), n)
    success = conditioned(chain_of(Counts(*edges, *rng.integers(0, 20, (2, n)).astype(float))))
    one, two = (solve_sources(success, np.arange(n), threads=threads).answers for threads in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert (one.known == CERTIFIED).mean() > 0.9


def test_states_to_which_too_many_lead_are_compared_only_once_there_is_budget_for_it():
    rng = np.random.default_rng(5)
    n = 160
    # Everybody leads to the first four, nearly alike.
    source = np.concatenate([np.repeat(np.arange(4, n), 4), rng.integers(0, n, 2 * n)])
    target = np.concatenate([np.tile(np.arange(4), n - 4), rng.integers(0, n, 2 * n)])
    other = source != target
    edges = merge_edges(source[other], target[other], rng.integers(9, 12, int(other.sum())).astype(float), n)
    chain = chain_of(Counts(*edges, rng.integers(5, 7, n).astype(float), np.full(n, 4.0)))
    success, source = conditioned(chain), 10
    graph, row, rival = success.graph, new_row(), new_row()
    begin(graph, row, success.place[source])
    push_forward(graph, row, graph.moving[success.place[source]])
    slots = [int(row.table[place_of(row, success.place[state])]) for state in range(4)]
    best, other = sorted(range(4), key=lambda k: -row.settled[slots[k]])[:2]
    said = [
        compare(graph, row, rival, slots[best], slots[other], waiting(graph, row), both, budget)
        for both, budget in ((False, 64), (True, 64), (True, 1 << 16))
    ]
    C = dense_rows(chain)[source]
    assert said == [OPEN, OPEN, CERTIFIED if C[best] > C[other] else -CERTIFIED]
