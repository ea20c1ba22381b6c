"""The measure of the self-awareness benchmark: average precision by hand, ties, what is missed, and weights."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.awareness import quality

ONES = np.ones(4)


def test_average_precision_is_the_mean_precision_at_each_right_item():
    right = np.array([True, False, True, False])
    assert quality.average_precision(np.array([4.0, 3.0, 2.0, 1.0]), right, ONES, 2.0) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_equal_scores_enter_together_whatever_their_order():
    score = np.array([1.0, 1.0, 1.0, 1.0])
    for right in ([True, True, False, False], [False, False, True, True]):
        assert quality.average_precision(score, np.array(right), ONES, 2.0) == pytest.approx(0.5)


def test_what_is_not_published_is_missed():
    right = np.array([True, True])
    assert quality.average_precision(np.array([2.0, 1.0]), right, np.ones(2), 8.0) == pytest.approx(2 / 8)
    assert quality.average_precision(np.zeros(0), np.zeros(0, bool), np.zeros(0), 3.0) == 0.0


def test_an_item_that_weighs_twice_counts_as_two():
    score, right = np.array([3.0, 2.0, 1.0]), np.array([False, True, True])
    twice = np.array([3.0, 2.0, 2.0, 1.0]), np.array([False, True, True, True])
    weighted = quality.average_precision(score, right, np.array([1.0, 2.0, 1.0]), 3.0)
    assert weighted == pytest.approx(quality.average_precision(*twice, ONES, 3.0))


def test_a_source_is_found_once_though_several_of_its_rewrites_are_right():
    source = np.array([0, 0, 1])
    right = np.array([True, True, True])
    one = quality.Judged(source, np.zeros(3), np.array([True, False, False]), right, np.array([0.5, 0.4, 0.3]))
    assert one.of_published(np.ones(2)) == pytest.approx(1 / 2)
