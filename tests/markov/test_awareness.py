"""Posteriors of served pairs against exact answers; losing pairs die, good ones live, a changed preference is followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import beta

from rewriter.markov.awareness import (
    MIN_AS_IS,
    MIN_SERVED,
    is_losing,
    is_winning,
    p_better,
    split_moved,
    split_served,
    success_served,
    voice,
)
from rewriter.markov.counts import Counts, counts_of
from tests.markov.served_reference import Moved, Served, with_served

CAP = 3.0
WEIGHTS = st.floats(0.0, 300.0)


def exact_sum(r_success: int, r_failure: int, u_success: int, u_failure: int) -> float:
    """P(theta_r > theta_u) for whole counts, by the finite sum over the rewrite's successes."""
    a, b, c, d = r_success + 1, r_failure + 1, u_success + 1, u_failure + 1
    k = np.arange(a)
    return float(np.sum(np.exp(betaln(c + k, b + d) - np.log(b + k) - betaln(1 + k, b) - betaln(c, d))))


def passing(counts: Counts, source: int) -> np.ndarray:
    """C[source, :] by a dense solve: chances to end in success with each state as the last."""
    n = counts.n_states
    Q = np.zeros((n, n))
    Q[counts.source, counts.target] = counts.weight / counts.total[counts.source]
    success = counts.success / np.maximum(counts.total, 1e-12)
    return np.linalg.solve(np.eye(n) - Q.T, np.eye(n)[source]) * success


def served_as(rewrite: int, success: float, failure: float, moved: float, source: int = 0) -> Served:
    return Served(*(np.array([x]) for x in (source, rewrite)), *(np.array([float(x)]) for x in (success, failure, moved)))


def moved_to(target: int, weight: float) -> Moved:
    return Moved(np.array([0]), np.array([target]), np.array([float(weight)]))


@pytest.mark.parametrize(
    "counts", [(0, 0, 0, 0), (3, 1, 1, 3), (40, 2, 35, 9), (5, 900, 3, 700), (2000, 100, 1, 0), (1, 0, 3000, 200)]
)
def test_the_chance_of_being_better_is_the_exact_sum_for_whole_counts(counts: tuple[int, int, int, int]):
    assert p_better(*counts)[0] == pytest.approx(exact_sum(*counts), abs=1e-9)


@pytest.mark.parametrize(
    "counts", [(0.3, 0.1, 0.7, 2.2), (12.6, 3.3, 8.1, 4.9), (0.0, 6.5, 0.4, 90.1), (310.2, 99.9, 61.5, 20.3)]
)
def test_weights_need_not_be_whole(counts: tuple[float, float, float, float]):
    r, u = beta(1 + counts[0], 1 + counts[1]), beta(1 + counts[2], 1 + counts[3])
    expected, _ = quad(
        lambda x: r.pdf(x) * u.cdf(x), 0, 1, points=[float(r.median()), float(u.median())], epsabs=1e-10, limit=400
    )
    assert p_better(*counts)[0] == pytest.approx(expected, abs=1e-7)


def test_draws_of_both_posteriors_agree_where_counts_are_large():
    rng = np.random.default_rng(5)
    counts = (80_000.0, 20_000.5, 7_950.0, 2_000.0)
    r, u = (rng.beta(1 + s, 1 + f, 400_000) for s, f in (counts[:2], counts[2:]))
    assert p_better(*counts)[0] == pytest.approx(float(np.mean(r > u)), abs=0.004)


@given(WEIGHTS, WEIGHTS, WEIGHTS, WEIGHTS)
def test_one_of_two_is_better_and_success_helps(a: float, b: float, c: float, d: float):
    assert p_better(a, b, c, d)[0] + p_better(c, d, a, b)[0] == pytest.approx(1.0, abs=1e-7)
    assert p_better(a + 1.0, b, c, d)[0] >= p_better(a, b, c, d)[0] - 1e-7


def test_rows_are_judged_each_for_itself():
    columns = np.random.default_rng(2).exponential(40.0, (4, 300))
    alone = [p_better(*column)[0] for column in columns.T]
    assert p_better(*columns) == pytest.approx(alone, abs=1e-15)


def test_without_as_is_turns_the_rewrite_is_compared_with_ignorance_and_lives():
    p = p_better(5.0, 45.0, 0.0, 0.0)
    assert p[0] == pytest.approx(6.0 / 52.0, abs=1e-9)
    assert not is_losing(50.0, 0.0, p)[()]
    assert is_losing(50.0, MIN_AS_IS, p_better(5.0, 45.0, 4.0, 1.0))[()]


def test_a_few_served_turns_do_not_kill_a_pair():
    p = p_better(0.0, 5.0, 90.0, 10.0)
    assert p[0] < 0.01
    assert not is_losing(MIN_SERVED - 0.1, 100.0, p)[()]
    assert is_losing(MIN_SERVED, 100.0, p)[()]


def wins(success: float, failure: float, u_success: float, u_failure: float, floor: float = 0.5) -> bool:
    p = p_better(success, failure, u_success, u_failure)
    return bool(is_winning(success_served(success, success + failure), u_success + u_failure, p, floor)[0])


def test_a_pair_wins_when_it_is_no_worse_than_the_request_as_it_is():
    assert wins(9.0, 3.0, 1.0, 4.0)
    assert wins(9.1, 3.0, 9.0, 3.0)
    assert not wins(9.0, 3.0, 9.1, 3.0)


def test_a_pair_that_mostly_fails_does_not_win_however_much_worse_the_request_is():
    assert p_better(12.0, 12.0, 0.0, 90.0)[0] > 0.999
    assert not wins(12.0, 12.0, 0.0, 90.0)
    assert wins(12.5, 12.0, 0.0, 90.0)
    assert not wins(12.5, 12.0, 0.0, 90.0, floor=0.52)


def test_a_pair_that_was_served_once_in_vain_or_never_does_not_win():
    assert not wins(0.0, 0.0, 0.0, 9.0)
    assert not wins(0.0, 1.0, 0.0, 9.0)


def test_without_as_is_turns_there_is_nothing_to_win_against():
    assert not wins(50.0, 2.0, 0.0, 0.0)
    assert wins(50.0, 2.0, 0.0, 0.01)


@given(WEIGHTS, WEIGHTS, WEIGHTS, WEIGHTS)
def test_no_pair_both_wins_and_loses(a: float, b: float, c: float, d: float):
    assert not (wins(a, b, c, d, floor=0.0) and bool(is_losing(a + b, c + d, p_better(a, b, c, d))[0]))


@given(WEIGHTS, WEIGHTS, WEIGHTS, st.floats(0.0, 1.0))
def test_the_split_neither_makes_nor_loses_weight(success: float, failure: float, moved: float, p: float):
    u, r, v = np.array([0]), np.array([1]), np.array([2])
    share = np.array([p])
    transitions, ends = split_served(u, r, np.array([success]), np.array([failure]), share)
    onward = split_moved(u, r, v, np.array([moved]), share)
    source = np.concatenate([transitions.source, onward.source])
    target = np.concatenate([transitions.target, onward.target])
    weight = np.concatenate([transitions.weight, onward.weight])
    leaves_u = weight[source == 0].sum() + (ends.success + ends.failure)[ends.state == 0].sum()
    into_r, leaves_r = (
        weight[target == 1].sum(),
        weight[source == 1].sum() + (ends.success + ends.failure)[ends.state == 1].sum(),
    )
    assert leaves_u == pytest.approx(success + failure + moved)
    assert into_r == pytest.approx(p * (success + failure + moved))
    assert leaves_r == pytest.approx(into_r)
    assert ends.success.sum() == pytest.approx(success)
    assert weight[target == 2].sum() == pytest.approx(moved)


def test_a_good_rewrite_takes_its_turns_along_and_a_bad_one_leaves_them_with_the_source():
    counts, _ = counts_of([("a", "b", 20)], [("a", 60, 20), ("b", 90, 10)])
    good, bad = served_as(1, 3.0, 0.0, 0.0), served_as(1, 0.0, 3.0, 0.0)
    p_good, p_bad = (float(s.better(counts)[0]) for s in (good, bad))
    nothing = Moved(np.array([], np.int64), np.array([], np.int64), np.array([]))
    with_good, with_bad = (with_served(counts, s, nothing, CAP) for s in (good, bad))
    assert with_good.weight[0] == pytest.approx(20 + 3 * p_good)
    assert with_good.success[0] == pytest.approx(60 + 3 * (1 - p_good))
    assert with_bad.failure == pytest.approx([20 + 3 * (1 - p_bad), 10 + 3 * p_bad])
    assert p_good > 0.6 > 0.2 > p_bad


def test_a_served_turn_that_is_rephrased_speaks_against_the_rewrite_as_a_failed_one_does():
    counts, _ = counts_of([("a", "b", 20)], [("a", 60, 20), ("b", 90, 10)])
    failed, rephrased = served_as(1, 10.0, 40.0, 0.0), served_as(1, 10.0, 0.0, 40.0)
    assert rephrased.better(counts) == pytest.approx(failed.better(counts))
    assert rephrased.losing(counts).all()
    assert not served_as(1, 45.0, 5.0, 0.0).losing(counts).any()


def test_the_system_has_one_voice_however_much_it_serves():
    counts, _ = counts_of([("a", "b", 20)], [("a", 60, 20), ("b", 90, 10), ("c", 0, 0)])
    mixed = with_served(counts, served_as(1, 5000.0, 3000.0, 2000.0), moved_to(2, 2000.0), CAP)
    assert mixed.total.sum() - counts.total.sum() <= 2 * CAP
    assert voice([10_000.0, 1.0], CAP) == pytest.approx([CAP / 10_000, 1.0])


@dataclass(frozen=True)
class Round:
    """Expected turns of one round of a request that is refused: the wish behind it, and the share withheld."""

    wish: int
    n: float = 200.0
    holdout: float = 0.1


def play(rounds: list[Round], half_life: float, cap: float) -> list[int]:
    """The wish (1, 2; 0 without a pair) that the pair chosen after each round serves.

    State 0 is the refused request; the wishes have two plain wordings each, 1 and 3, 2 and 4. Users with a wrong answer
    believe it (0.4), give up (0.1) or say the wish in one of its wordings (0.5); when refused they give up or say it.
    """
    outcomes, edges = np.zeros((5, 2)), np.zeros((5, 5))
    live: dict[int, np.ndarray] = {}
    served, chosen = 0, []
    for r in rounds:
        keep = 0.5 ** (1.0 / half_life) if half_life else 1.0
        outcomes, edges, live = outcomes * keep, edges * keep, {k: v * keep for k, v in live.items()}
        wordings = [r.wish, r.wish + 2]
        imposed = r.n * (1.0 - r.holdout) if served else 0.0
        left = r.n - imposed
        edges[0, wordings] += 0.5 * left / 2
        outcomes[0] += [0.0, 0.5 * left]
        outcomes[1:] += [20.0, 1.0]
        if imposed:
            right = served in wordings
            turns = live.setdefault(served, np.zeros(7))
            turns[:2] += np.array([0.95, 0.05] if right else [0.4, 0.1]) * imposed
            turns[[2 + w for w in wordings]] += 0.0 if right else 0.25 * imposed
        i, j = np.nonzero(edges)
        counts = Counts(i, j, edges[i, j], outcomes[:, 0], outcomes[:, 1])
        pairs = np.array(sorted(live), np.int64)
        rows = np.array([live[k] for k in pairs.tolist()]).reshape(-1, 7)
        known = Served(np.zeros_like(pairs), pairs, rows[:, 0], rows[:, 1], rows[:, 2:].sum(axis=1))
        k, v = np.nonzero(rows[:, 2:])
        mixed = with_served(counts, known, Moved(k, v, rows[k, v + 2]), cap)
        losing = set(pairs[known.losing(counts)].tolist())
        row = passing(mixed, 0)
        row[list(losing)] = 0.0
        served = 0 if row.max() <= row[0] else int(np.argmax(row))
        chosen.append((served + 1) % 2 + 1 if served else 0)
    return chosen


def test_a_changed_preference_is_followed_within_three_rounds_of_a_half_life():
    wishes = play([Round(1)] * 6 + [Round(2)] * 4, half_life=1.0, cap=CAP)
    assert wishes[:6] == [1] * 6
    assert 2 in wishes[6:9]
    assert wishes[-1] == 2


def test_at_full_weight_a_live_pair_would_elect_itself_for_good():
    assert play([Round(1)] * 6 + [Round(2)] * 4, half_life=1.0, cap=1e9)[-1] == 1


def test_without_a_holdout_nothing_tells_the_new_preference():
    rounds = [Round(1)] * 6 + [Round(2, holdout=0.0)] * 4
    assert play(rounds, half_life=1.0, cap=CAP) == [1] * 10


def live_rounds(rate: float, as_is: float, rounds: int = 2, n: float = 40.0, holdout: float = 0.1) -> bool:
    """Whether a pair of this success rate is dropped after so many rounds; the source left alone succeeds at ``as_is``."""
    served, own = rounds * n * (1 - holdout), rounds * n * holdout
    p = p_better(rate * served, (1 - rate) * served, as_is * own, (1 - as_is) * own)
    return bool(is_losing(served, own, p)[0])


def test_a_bad_pair_dies_within_two_rounds_on_its_holdout_alone_and_a_good_one_lives():
    assert live_rounds(0.3, as_is=0.9)
    assert not live_rounds(0.9, as_is=0.3)
    assert not live_rounds(0.3, as_is=0.9, holdout=0.0)
