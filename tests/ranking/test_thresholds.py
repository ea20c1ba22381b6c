"""Thresholds on planted scores."""

from __future__ import annotations

import numpy as np
import pytest

from rewriter.decision.gates import Gate
from rewriter.evaluation.win_loss import Outcome, WinLoss
from rewriter.ranking.thresholds import Judged, Promise, counts, pick_gate, served

PROMISE = Promise(8.5, 10)


def judged(outcomes, probabilities, layer="global"):
    return [
        Judged(f"t{i:05d}", layer, "music", float(p), Outcome(o))
        for i, (o, p) in enumerate(zip(outcomes, probabilities, strict=True))
    ]


def planted(accuracy: float, n: int = 1000, layer: str = "global"):
    rng = np.random.default_rng(0)
    wins = np.arange(n) < round(accuracy * n)
    return judged(np.where(rng.permutation(wins), "win", "loss"), np.full(n, 0.7), layer)


def test_a_layer_that_is_right_95_times_in_100_stays_on_and_one_at_80_goes_off():
    assert pick_gate(planted(0.95), PROMISE) == Gate(
        True, 0.7, "950 wins, 50 losses on held-out days: at least 14.3 to 1 from probability 0.7000"
    )
    off = pick_gate(planted(0.80), PROMISE)
    assert not off.enabled
    assert "misses the target 8.5" in off.reason


def test_the_threshold_is_the_smallest_that_keeps_the_promise():
    rng = np.random.default_rng(1)
    p = 1 - 0.6 * rng.random(600) ** 2
    outcomes = np.where(rng.random(600) < p, "win", "loss")
    rows = judged(outcomes, p)
    gate = pick_gate(rows, PROMISE)
    assert gate.enabled

    def bound(threshold):
        return counts(rows, 600, threshold).ratio_interval()[0]

    assert bound(gate.threshold) >= 8.5
    below = sorted(x for x in p if x < gate.threshold)
    assert all(bound(x) < 8.5 for x in below)


def test_wins_that_share_a_probability_with_losses_cannot_be_had_without_them():
    rows = judged(["win"] * 50 + ["loss"] * 50, [0.9] * 100)
    assert not pick_gate(rows, PROMISE).enabled


def test_no_threshold_lies_below_the_floor_however_good_the_average():
    rows = judged(["win"] * 500 + ["win"] * 10, [0.9] * 500 + [0.2] * 10)
    assert pick_gate(rows, PROMISE).threshold == 0.2
    assert pick_gate(rows, Promise(8.5, 10, 0.5)).threshold == 0.9


@pytest.mark.parametrize("verdict", ["tie", "undecided"])
def test_what_is_not_decided_speaks_neither_way(verdict):
    gate = pick_gate(judged([verdict] * 100, [0.9] * 100), PROMISE)
    assert (gate.enabled, gate.reason) == (False, "0 wins, 0 losses on held-out days: nothing speaks for it")


def test_too_few_cases_leave_a_retrieved_layer_off_and_mined_pairs_on_unless_they_lose():
    few = judged(["win"] * 9, [0.9] * 9)
    assert not pick_gate(few, PROMISE).enabled
    assert pick_gate(few, PROMISE, has_own_bounds=True).enabled
    assert pick_gate([], PROMISE, has_own_bounds=True).enabled
    assert not pick_gate(judged(["win"] * 6 + ["loss"], [0.9] * 7), PROMISE, has_own_bounds=True).enabled


def test_all_layers_together_serve_each_request_once():
    gates = {name: Gate(True, 0.5, "") for name in ("precomputed", "personal", "global", "alternative")}
    rows = [
        Judged("a", "global", "music", 0.9, Outcome.LOSS),
        Judged("a", "precomputed", "music", 0.6, Outcome.WIN),
        Judged("b", "global", "music", 0.9, Outcome.WIN),
        Judged("b", "personal", "music", 0.8, Outcome.LOSS),
        Judged("c", "global", "music", 0.4, Outcome.LOSS),
    ]
    assert [(j.turn_id, j.layer) for j in served(rows, gates)] == [("a", "precomputed"), ("b", "global")]
    assert counts(served(rows, gates), 10, 0.0) == WinLoss(10, 2, 2, 0)
