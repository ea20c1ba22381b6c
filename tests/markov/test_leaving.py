"""Defects corrected by how often a wording is left: planted quiet failures are found, and nothing moves without cause."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.markov.leaving import MIN_VISITS, Kinds, Leaving, averages, corrected, replay, shifts, totals


def planted(seed: int, n_states: int = 40, visits: int = 400) -> tuple[Kinds, np.ndarray]:
    """Visits of wordings that fail with a known chance; a failure is said otherwise with 0.6, and signs hardly tell it."""
    rng = np.random.default_rng(seed)
    theta = np.where(np.arange(n_states) % 4 == 0, 0.9, 0.05)
    state = np.repeat(np.arange(n_states), visits)
    failed = rng.random(len(state)) < theta[state]
    left = failed & (rng.random(len(state)) < 0.6)
    loud = failed & (rng.random(len(state)) < 0.3)
    defect = np.where(loud, 0.95, 0.2)
    return Kinds(state, defect, np.where(left, 0.95, 0.0), np.zeros(len(state), bool), np.ones(len(state))), theta


def passed(kinds: Kinds, n_passes: int) -> tuple[np.ndarray, np.ndarray]:
    passes: list[Leaving] = []
    for _ in range(n_passes):
        log = averages(totals(kinds, replay(kinds, passes)[1]))
        assert log is not None
        passes.append(log)
    return replay(kinds, passes)


def test_wordings_that_fail_quietly_are_told_from_those_that_work():
    kinds, theta = planted(1)
    _, defect = passed(kinds, 3)
    quiet = kinds.defect < 0.5
    failing = theta[kinds.state] > 0.5
    assert defect[quiet & failing].mean() > 0.5
    assert defect[quiet & ~failing].mean() < 0.15
    assert (kinds.defect[quiet] == 0.2).all()


def test_more_passes_part_them_further():
    kinds, theta = planted(2)
    apart = []
    for n_passes in (1, 3):
        shift, _ = passed(kinds, n_passes)
        apart.append(shift[theta > 0.5].mean() - shift[theta < 0.5].mean())
    assert apart[1] > apart[0] > 1.0


def test_a_log_in_which_nobody_leaves_is_not_corrected():
    kinds, _ = planted(3)
    still = Kinds(kinds.state, kinds.defect, np.zeros(len(kinds.n)), kinds.repeats, kinds.n)
    assert averages(totals(still, still.defect)) is None


def test_a_log_without_a_sure_failure_is_not_corrected():
    kinds, _ = planted(3)
    unsure = Kinds(kinds.state, np.full(len(kinds.n), 0.5), kinds.like, kinds.repeats, kinds.n)
    assert averages(totals(unsure, unsure.defect)) is None


def test_rare_wordings_keep_their_own_word():
    n = MIN_VISITS - 1
    rare = Kinds(np.zeros(n, np.int64), np.full(n, 0.2), np.full(n, 0.9), np.zeros(n, bool), np.ones(n))
    shift, defect = replay(rare, [Leaving(0.6, 0.1)])
    assert shift.tolist() == [0.0]
    assert defect.tolist() == [0.2] * n


def test_repeats_in_the_same_words_are_one_visit_and_nobody_left():
    kinds, _ = planted(4)
    repeated = Kinds(kinds.state, kinds.defect, kinds.like, np.ones(len(kinds.n), bool), kinds.n)
    left, visits, *_ = totals(repeated, repeated.defect)
    assert left == 0.0
    assert visits < 1e6 * kinds.n.sum()


def test_given_rephrases_count_whatever_the_defect_says():
    kinds, _ = planted(5)
    given_links = Kinds(kinds.state, kinds.defect, kinds.like, kinds.repeats, kinds.n, is_given=True)
    assert totals(given_links, given_links.defect)[0] == pytest.approx(1e6 * kinds.like.sum())


def test_parts_of_a_log_add_up():
    kinds, _ = planted(6)
    halves = [kinds.state % 2 == k for k in (0, 1)]
    parts = [
        totals(Kinds(*(column[half] for column in (kinds.state, kinds.defect, kinds.like, kinds.repeats, kinds.n))), d)
        for half in halves
        for d in [kinds.defect[half]]
    ]
    assert np.sum(parts, axis=0) == pytest.approx(totals(kinds, kinds.defect))


def test_a_wording_left_like_all_others_does_not_move():
    log = Leaving(0.6, 0.2)
    assert shifts(np.array([2.0]), np.array([10.0]), log) == pytest.approx([0.0])
    assert shifts(np.array([9.0]), np.array([10.0]), log)[0] > 0 > shifts(np.array([0.0]), np.array([90.0]), log)[0]


@given(st.floats(0, 1), st.floats(-20, 20))
def test_a_clear_failure_stays_one_and_probabilities_stay_probabilities(defect: float, shift: float):
    moved = corrected(np.array([defect]), np.array([shift]))[0]
    assert 0.0 < moved < 1.0
    if defect >= 0.75:
        assert moved >= min(defect, 0.99)
