import numpy as np
import pytest

from rewriter.defects.agreement import ANCHOR_WEIGHT, agreement_weights, swapped_probability


def planted(reliability, n=40_000, seed=0):
    """Groups that see one hidden failure, each with its own correlation and its own noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    return {g: r * truth + np.sqrt(1 - r**2) * rng.normal(size=n) for g, r in reliability.items()}


def test_planted_reliability_is_recovered_in_its_order_and_noise_weighs_nothing():
    weights = agreement_weights(planted({"anchor": 0.6, "good": 0.7, "fair": 0.4, "poor": 0.2, "noise": 0.0}), "anchor")
    assert weights["good"] > weights["fair"] > weights["poor"] > weights["noise"]
    assert weights["noise"] < 0.02
    assert weights["good"] / weights["fair"] == pytest.approx(0.7 / 0.4, rel=0.25)


def test_a_group_that_disagrees_has_no_weight():
    scores = planted({"anchor": 0.7, "good": 0.7, "turned": -0.7})
    assert agreement_weights(scores, "anchor")["turned"] == 0.0


def test_the_anchor_decides_which_common_thing_is_meant():
    ours, theirs = planted({"a1": 0.9, "a2": 0.9}, seed=1), planted({"b1": 0.9, "b2": 0.9}, seed=2)
    weights = agreement_weights(ours | theirs, "b1")
    assert min(weights["b1"], weights["b2"]) > 0.5 > 0.1 > max(weights["a1"], weights["a2"])


def test_an_anchor_alone_keeps_its_weight():
    assert agreement_weights(planted({"anchor": 0.5, "noise": 0.0}), "anchor")["anchor"] == ANCHOR_WEIGHT


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_the_planted_share_of_swapped_answers_is_found(share):
    rng = np.random.default_rng(0)
    failed = rng.random(50_000) < share
    misfit = np.where(failed, rng.random(len(failed)), rng.beta(1, 12, len(failed)))
    probability = swapped_probability(misfit)
    assert probability.mean() == pytest.approx(share, abs=0.02)
    low, high = probability < 0.5, probability >= 0.5
    assert failed[high].mean() == pytest.approx(probability[high].mean(), abs=0.03)
    assert failed[low].mean() == pytest.approx(probability[low].mean(), abs=0.03)
