"""Calibration recovers what was planted, and the threshold is the best one."""

import numpy as np
import pytest

from rewriter.rephrase.calibration import best_threshold, calibrate, calibrate_spans, expected_f
from rewriter.rephrase.decode import probabilities


def _planted(temperature: float, bias: float, n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Scores too sharp by ``temperature`` and too shy of none by ``bias``, with labels drawn from the truth."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(n, 3)) * 4
    truth = probabilities(scores, temperature, bias)
    return scores, (rng.random(truth.shape) < truth).astype(float)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 0.0), (2.5, 0.0), (0.6, 1.5), (3.0, -2.0)])
def test_a_known_temperature_and_bias_are_recovered(temperature: float, bias: float) -> None:
    found = calibrate(*_planted(temperature, bias))
    assert found.temperature == pytest.approx(temperature, rel=0.06)
    assert found.null_bias == pytest.approx(bias, abs=0.25)


def test_the_temperature_alone_is_recovered_with_the_bias_held_at_zero() -> None:
    found = calibrate(*_planted(2.0, 0.0), fit_bias=False)
    assert found.null_bias == 0.0
    assert found.temperature == pytest.approx(2.0, rel=0.05)


def test_no_labels_leave_the_scores_alone() -> None:
    found = calibrate(np.zeros((0, 3)), np.zeros((0, 3)))
    assert (found.temperature, found.null_bias) == (1.0, 0.0)


@pytest.mark.parametrize(("told", "weight"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_the_spans_weigh_what_the_labels_say_they_are_worth(told: float, weight: float) -> None:
    rng = np.random.default_rng(4)
    evidence, spans = rng.normal(size=(2, 4000, 3)) * 2
    truth = probabilities(evidence + told * spans)
    found, losses = calibrate_spans(lambda share: evidence + share * spans, (rng.random(truth.shape) < truth) * 1.0)
    assert found.span_weight == weight
    assert losses[weight] < min(loss for share, loss in losses.items() if share != weight)
    assert found.temperature == pytest.approx(1.0, rel=0.06)


def test_spans_that_tell_nothing_are_not_read() -> None:
    odds = np.random.default_rng(0).normal(size=(50, 3))
    assert calibrate_spans(lambda _: odds, probabilities(odds))[0].span_weight == 0.0


def test_spans_that_tell_hardly_more_than_chance_are_not_read() -> None:
    rng = np.random.default_rng(5)
    evidence, spans = 2.0 * rng.normal(size=(60, 3)), 0.7 * rng.normal(size=(60, 3))
    truth = probabilities(evidence + 0.1 * spans)
    found, losses = calibrate_spans(lambda share: evidence + share * spans, (rng.random(truth.shape) < truth) * 1.0)
    assert found.span_weight == 0.0
    assert min(losses, key=lambda share: losses[share]) > 0.0


@pytest.mark.parametrize(("told", "is_read"), [(0.05, False), (0.2, True)])
def test_spans_that_surely_tell_next_to_nothing_are_not_worth_reading(told: float, is_read: bool) -> None:
    rng = np.random.default_rng(6)
    evidence, spans = 2.0 * rng.normal(size=(2, 20000, 3))
    truth = probabilities(evidence + told * spans)
    found, losses = calibrate_spans(lambda share: evidence + told * share * spans, truth)
    assert losses[1.0] < losses[0.0]
    assert (found.span_weight > 0.0) == is_read


def test_the_threshold_has_the_best_f1_of_all_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    predicted = rng.random(300).round(2)
    gain = (rng.random(300) < predicted).astype(float)
    total = gain.sum() + 11
    threshold, f1 = best_threshold(predicted, gain, total)

    def f_at(value: float) -> float:
        chosen = predicted >= value
        return float(2 * gain[chosen].sum() / (chosen.sum() + total))

    assert f1 == pytest.approx(max(f_at(v) for v in np.unique(predicted)))
    assert f_at(threshold) == pytest.approx(f1)


def test_precision_counts_more_with_a_smaller_beta() -> None:
    predicted = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    gain = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    strict, _ = best_threshold(predicted, gain, 4.0, beta=0.2)
    loose, _ = best_threshold(predicted, gain, 4.0, beta=2.0)
    assert strict > loose
    assert expected_f(predicted, gain, 4.0)[1][3] == pytest.approx(2 * 3 / (4 + 4))


def test_a_harmless_repeat_is_no_error() -> None:
    predicted, gain = np.array([0.9, 0.8, 0.7]), np.array([1.0, 0.0, 1.0])
    strict, _ = best_threshold(predicted[:2], gain[:2], 1.0)
    assert strict > 0.8
    thresholds, f = expected_f(predicted, gain, 2.0, np.array([0.0, 0.0, 0.0]))
    assert f.tolist() == pytest.approx([2 / 3, 2 / 3, 1.0])
    assert thresholds.tolist() == [0.9, 0.8, 0.7]
