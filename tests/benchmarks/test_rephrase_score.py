"""The figures of the rephrase benchmark on cases worked by hand, and its other scripts."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rewriter.simulation.simulate import simulate
from rewriter.simulation.tables import turns_table
from rewriter.simulation.world import World


def _module(name: str) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "rephrase" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"rephrase_{name}", path)
    module = sys.modules[f"rephrase_{name}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


score, scripts = _module("score"), _module("scripts")


def _verdicts() -> Any:
    """Five predictions of two users, one of them ignored; three turns have a rephrase, one of which nobody found."""
    return score.Verdicts(
        probability=np.array([0.9, 0.8, 0.7, 0.6, 0.2]),
        right=np.array([True, False, False, True, False]),
        wrong=np.array([False, True, False, False, True]),
        user=np.array([0, 0, 1, 1, 1]),
        positives=np.array([1.0, 2.0]),
    )


def test_f1_and_average_precision_leave_out_what_is_ignored() -> None:
    f1, precision = _verdicts().weighted(np.ones(2), 0.5)
    assert f1 == pytest.approx(2 * 2 / (2 + 1 + 3))
    assert precision == pytest.approx((1.0 + 2 / 3) / 3)


def test_a_user_counted_twice_is_two_users() -> None:
    f1, precision = _verdicts().weighted(np.array([0.0, 2.0]), 0.1)
    assert f1 == pytest.approx(2 * 2 / (2 + 2 + 4))
    assert precision == pytest.approx(0.5)


def test_the_best_threshold_is_that_of_brute_force() -> None:
    verdicts = _verdicts()
    every = {t: verdicts.weighted(np.ones(2), t)[0] for t in verdicts.probability.tolist()}
    assert verdicts.best_threshold() == max(every, key=lambda t: every[t])


def test_the_order_of_the_predictions_is_nothing_to_their_figures() -> None:
    rng = np.random.default_rng(3)
    p = rng.random(50).round(1)
    right = rng.random(50) < p
    verdicts = score.Verdicts(p, right, ~right, rng.integers(0, 6, 50), np.arange(6.0))
    point, draws = score.figures(verdicts, 0.5, score.user_weights(6, 5, 2))
    by_hand = [verdicts.weighted(weight, 0.5) for weight in score.user_weights(6, 5, 2)]
    assert draws.ravel().tolist() == pytest.approx(np.array(by_hand).ravel().tolist())
    assert point["f1"] == pytest.approx(verdicts.weighted(np.ones(6), 0.5)[0], abs=1e-4)
    assert verdicts.falling().probability.tolist() == sorted(p.tolist(), reverse=True)


def test_equal_probabilities_enter_together() -> None:
    right, wrong = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert score.average_precision(np.array([0.5, 0.5]), right, wrong, 1.0) == score.average_precision(
        np.array([0.5, 0.5]), right[::-1], wrong[::-1], 1.0
    )


def test_calibration_is_of_what_was_judged_above_a_tenth() -> None:
    n = 4000
    p = np.tile([0.05, 0.3, 0.8], n)
    drawn = np.random.default_rng(0).random(3 * n) < p
    honest = score.Verdicts(p, drawn, ~drawn, np.zeros(3 * n, np.int64), np.ones(1)).calibration()
    proud = score.Verdicts(np.minimum(p + 0.15, 1.0), drawn, ~drawn, np.zeros(3 * n, np.int64), np.ones(1)).calibration()
    assert honest["ece"] < 0.02 < 0.1 < proud["ece"]
    assert honest["brier"] < proud["brier"] < honest["brier_of_base_rate"]


def test_each_draw_is_of_as_many_users_as_there_are() -> None:
    assert (score.user_weights(7, 20, 1).sum(axis=1) == 7).all()
    assert score.paired([np.array([0.1, 0.2]), np.array([0.3, 0.4])])["mean"] == pytest.approx(0.25)


def test_other_scripts_keep_what_sounds_alike_alike_and_kana_set_no_words_apart() -> None:
    assert scripts.kana("tide") == scripts.kana("tied")
    assert scripts.devanagari("tide") == scripts.devanagari("tied") != scripts.devanagari("bead")
    turns = turns_table(simulate(World(1), 5, range(2)))
    written = scripts.in_script(turns, "ja-JP", scripts.kana, "")
    letters = "".join(written["utterance"].to_pylist())
    assert not any(c.isascii() and c.isalpha() for c in letters)
    assert " " not in letters
    assert written["turn_id"].to_pylist() == turns["turn_id"].to_pylist()
