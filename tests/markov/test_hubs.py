"""Hubs are found by the spread of what follows them, and by nothing else."""

from __future__ import annotations

import numpy as np

from rewriter.markov.hubs import entropy_of, is_hub


def hub(weights: list[float], log_weights: list[float], succeeded: float = 0.0) -> bool:
    own, log = np.array(weights), np.array(log_weights)
    entropies = [entropy_of(np.array([w.sum()]), np.array([np.sum(w * np.log(w))])) for w in (own, log)]
    return bool(is_hub(np.array([own.sum()]), np.array([own.sum() + succeeded]), *entropies)[0])


LOG = [10.0] * 100


def test_a_request_after_which_anything_follows_is_a_hub():
    assert hub([1.0] * 60, LOG)


def test_a_misheard_request_that_leads_to_few_others_is_none():
    assert not hub([50.0, 5.0, 5.0], LOG)


def test_a_request_that_mostly_ends_well_is_none_whatever_follows():
    assert hub([1.0] * 60, LOG, succeeded=100.0)
    assert not hub([1.0] * 60, LOG, succeeded=200.0)


def test_too_few_transitions_cannot_tell():
    assert not hub([1.0] * 29, LOG)


def test_a_state_is_not_asked_for_more_spread_than_its_weight_allows():
    # 40 draws from 1,000 equally likely successors: 40 different ones are as spread as can be.
    assert hub([1.0] * 40, [1.0] * 1000)


def test_the_entropy_of_nothing_is_zero():
    assert entropy_of(np.zeros(1), np.zeros(1))[0] == 0.0
