"""The combiner against planted coefficients, scikit-learn and its own JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from rewriter.errors import RewriterError
from rewriter.odds import sigmoid
from rewriter.ranking.combiner import Combiner, fit_combiner

NAMES = ("a", "b", "constant")


def data(n=6000, seed=0):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(3, 2, n), rng.normal(-1, 0.5, n), np.full(n, 7.0)])
    y = (rng.random(n) < sigmoid(1.5 * (x[:, 0] - 3) / 2 - 1.0 * (x[:, 1] + 1) / 0.5 - 2.0)).astype(float)
    return x, y, np.ones(n), rng.integers(0, 5, n)


def test_planted_coefficients_are_found_and_a_constant_feature_gets_none():
    x, y, w, folds = data()
    model = fit_combiner(x, y, w, folds, NAMES)
    assert model.weights == pytest.approx([1.5, -1.0, 0.0], abs=0.15)
    assert model.intercept == pytest.approx(-2.0, abs=0.15)
    assert (model.slope, model.offset) == (pytest.approx(1.0, abs=0.1), pytest.approx(0.0, abs=0.15))


def test_it_agrees_with_scikit_learn():
    x, y, w, folds = data(2000, 1)
    model = fit_combiner(x, y, w, folds, NAMES)
    scaled = (x[:, :2] - x[:, :2].mean(axis=0)) / x[:, :2].std(axis=0)
    other = LogisticRegression(C=1.0, tol=1e-9, max_iter=1000).fit(scaled, y)
    assert model.weights[:2] == pytest.approx(other.coef_[0], abs=1e-3)
    assert model.intercept == pytest.approx(other.intercept_[0], abs=1e-3)


def test_what_is_unknown_counts_as_the_mean_of_training_though_training_never_lacked_it():
    x, y, w, folds = data()
    model = fit_combiner(x, y, w, folds, NAMES)
    bare = np.array([[np.nan, -1.0, 7.0]])
    assert model.probabilities(bare) == pytest.approx(model.probabilities(np.array([[x[:, 0].mean(), -1.0, 7.0]])))
    # Zero is far outside of what training saw, and would be a strong word for no rewrite.
    assert model.probabilities(np.array([[0.0, -1.0, 7.0]])) < model.probabilities(bare) / 3


def test_what_is_infinite_is_unknown():
    x, y, w, folds = data()
    model = fit_combiner(x, y, w, folds, NAMES)
    assert model.logits(np.array([[np.inf, -1.0, 7.0]])) == model.logits(np.array([[np.nan, -1.0, 7.0]]))


def test_rows_that_lack_a_feature_teach_the_others():
    x, y, w, folds = data()
    x[::2, 0] = np.nan
    flagged = np.column_stack([x, np.isfinite(x[:, 0])])
    model = fit_combiner(flagged, y, w, folds, (*NAMES, "known"))
    assert model.weights[:2] == pytest.approx([1.5, -0.8], abs=0.2)
    assert model.mean[0] == pytest.approx(np.nanmean(x[:, 0]))


def test_a_feature_that_is_never_known_gets_no_weight():
    x, y, w, folds = data()
    model = fit_combiner(np.column_stack([x, np.full(len(x), np.nan)]), y, w, folds, (*NAMES, "never"))
    assert model.weights[3] == pytest.approx(0.0, abs=1e-6)
    assert np.isfinite(model.probabilities(np.column_stack([x, np.ones(len(x))]))).all()


def test_a_weight_counts_like_repeated_rows():
    x, y, _, folds = data(500, 2)
    twice = fit_combiner(np.vstack([x, x]), np.tile(y, 2), np.ones(1000), np.tile(folds, 2), NAMES)
    heavy = fit_combiner(x, y, np.full(500, 2.0), folds, NAMES)
    assert heavy.probabilities(x) == pytest.approx(twice.probabilities(x), abs=1e-6)


def test_calibration_takes_back_what_few_rows_overstate():
    losses = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, fresh = rng.normal(size=(300, 40)), rng.normal(size=(5000, 40))
        y = (rng.random(300) < sigmoid(x[:, 0] - 1)).astype(float)
        truth = sigmoid(fresh[:, 0] - 1)
        model = fit_combiner(x, y, np.ones(300), rng.integers(0, 5, 300), [f"f{i}" for i in range(40)], ridge=0.01)
        assert model.slope < 0.9
        both = model.probabilities(fresh), sigmoid(model.logits(fresh))
        losses.append([-np.mean(truth * np.log(p) + (1 - truth) * np.log(1 - p)) for p in both])
    calibrated, plain = np.mean(losses, axis=0)
    assert calibrated < plain - 0.02


def test_json_gives_back_the_same_probabilities_and_names_foreign_features():
    x, y, w, folds = data(500)
    model = fit_combiner(x, y, w, folds, NAMES)
    text = json.dumps(model.as_json())
    again = Combiner.of_json(json.loads(text), NAMES)
    assert np.array_equal(again.probabilities(x), model.probabilities(x))
    with pytest.raises(RewriterError, match="constant"):
        Combiner.of_json(json.loads(text), ("a", "b", "other"))


def test_one_label_alone_cannot_teach():
    x, _, w, folds = data(50)
    with pytest.raises(RewriterError, match="both wins and other candidates"):
        fit_combiner(x, np.zeros(50), w, folds, NAMES)
