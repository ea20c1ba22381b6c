"""The measure of the defect benchmark: calibration by hand, draws of whole units, paired gains."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.defects import score as measure


def test_calibration_compares_equal_shares_of_the_probabilities_above_the_least():
    probability = np.repeat([0.05, 0.2, 0.6], [50, 50, 50])
    failed = np.concatenate([np.tile([1.0, 0.0], 25), np.tile([1.0, 0, 0, 0, 0], 10), np.tile([1.0] * 9 + [0.0], 5)])
    # 0.2 is right, 0.6 is 0.3 too low, and 0.05 is not binned however wrong.
    assert measure.calibration_error(failed, probability) == pytest.approx(0.15)


def test_a_draw_takes_whole_units_as_many_as_there_are():
    unit = np.array(["a", "a", "b", "c", "c", "c"], dtype=object)
    for rows in measure.draws_of(unit, 20, seed=0):
        counts = np.bincount(rows, minlength=6)
        assert counts[0] == counts[1]
        assert counts[3] == counts[4] == counts[5]
        assert counts[0] + counts[2] + counts[3] == 3


def test_the_gain_is_paired_and_above_zero_for_the_better_method():
    rng = np.random.default_rng(0)
    failed = (rng.random(2000) < 0.3).astype(float)
    methods = {"good": failed + rng.normal(size=2000), "noise": rng.normal(size=2000)}
    found = measure.score(failed, methods, measure.draws_of(np.arange(2000).astype(object), 100, seed=1), against="good")
    assert found["noise"]["gain"][0] > 0.2
    assert found["good"]["gain"] == [0.0, 0.0]
    assert found["good"]["low"] < found["good"]["average_precision"] < found["good"]["high"]
