"""Calibration of log-odds on held-out weak labels, and the threshold that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from rewriter.rephrase.decode import probabilities
from rewriter.rephrase.log import Bools, Floats

#: Weight of precision against recall in the choice of the threshold: 1 is F1, 0.5 counts precision twice.
BETA = 1.0
_TINY = 1e-12
#: Weights of the spans' scores that are tried; of those as good as the best, within a standard error, the smallest is taken.
SPAN_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Share of the loss that the spans must take away to be read at all: an encoder costs hundreds of times what the rest does.
WORTH_READING = 0.005


@dataclass(frozen=True)
class Calibration:
    """Temperature and bias of `rewriter.rephrase.decode.probabilities`, by which they are those of the labels.

    ``span_weight`` is that of `rewriter.rephrase.decode.rephrase_odds`.
    """

    temperature: float
    null_bias: float
    span_weight: float = 1.0


def _losses(chances: Floats, labels: Floats, present: Bools) -> Floats:
    """Loss of each row's turns that are there, (m,): predicted chances against those of the labels, each (m, w)."""
    given = np.where(present, chances, 0.0)
    loss = -(labels * np.log(given + _TINY) + (1.0 - labels) * np.log(1.0 - given + _TINY))
    return np.asarray(np.where(present, loss, 0.0).sum(axis=1), np.float64)


def cross_entropy(chances: Floats, labels: Floats, present: Bools) -> float:
    """Mean loss of the turns that are there: predicted chances against those of the labels, each (m, w)."""
    return float(_losses(chances, labels, present).sum() / max(int(present.sum()), 1))


def calibrate(odds: Floats, labels: Floats, fit_bias: bool = True) -> Calibration:
    """Temperature and bias of least cross-entropy on held-out labels; 1 and 0 where there are no labels.

    The bias makes up for training on a sample richer in rephrases than the log (Guo et al. 2017 fit the temperature alone).

    Parameters
    ----------
    odds
        From `rewriter.rephrase.decode.rephrase_odds`, (m, w).
    labels
        Chance that each turn is a rephrase, from `rewriter.rephrase.weak_labels.WeakLabels`, (m, w).
    """
    if not len(odds):
        return Calibration(1.0, 0.0)
    present = np.isfinite(odds)

    def loss(x: NDArray[np.float64]) -> float:
        bias = float(x[1]) if fit_bias else 0.0
        return cross_entropy(probabilities(odds, float(np.exp(x[0])), bias), labels, present)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7, "maxiter": 400})
    temperature = float(np.clip(np.exp(found.x[0]), 0.05, 20.0))
    return Calibration(temperature, float(np.clip(found.x[1], -20.0, 20.0)) if fit_bias else 0.0)


def calibrate_spans(odds_at: Callable[[float], Floats], labels: Floats) -> tuple[Calibration, dict[float, float]]:
    """The calibration with the weight of the spans' scores that held-out labels ask for, and the loss of each weight.

    The smallest weight whose loss is within a standard error of the least (Breiman et al. 1984, Classification and
    Regression Trees, section 3.4.3): what the encoder says is believed only where it tells more than what it was taught by.
    On many labels hardly anything is something surely; below `WORTH_READING` it is still none.

    Parameters
    ----------
    odds_at
        Weight of the spans' scores -> log-odds, (m, w).
    labels
        As in `calibrate`.
    """
    tried, losses, rows = {}, {}, {}
    for weight in SPAN_WEIGHTS:
        odds = odds_at(weight)
        tried[weight] = found = replace(calibrate(odds, labels), span_weight=weight)
        chances, present = probabilities(odds, found.temperature, found.null_bias), np.isfinite(odds)
        rows[weight], losses[weight] = _losses(chances, labels, present), cross_entropy(chances, labels, present)
    best = min(SPAN_WEIGHTS, key=lambda weight: losses[weight])

    def is_as_good(weight: float) -> bool:
        worse = rows[weight] - rows[best]
        return bool(worse.sum() <= worse.std() * np.sqrt(len(worse)))

    weight = next(weight for weight in SPAN_WEIGHTS if is_as_good(weight))
    is_worth = losses[0.0] - losses[best] > WORTH_READING * losses[0.0]
    return tried[weight if is_worth else 0.0], losses


def expected_f(
    predicted: Floats, gain: Floats, total: float, harm: Floats | None = None, beta: float = BETA
) -> tuple[Floats, Floats]:
    """Every threshold, falling, and the F-score expected at it.

    Parameters
    ----------
    predicted
        Probability given to the best turn of each row, (m,).
    gain
        Chance, by the labels, that this turn is a true rephrase, (m,).
    total
        Expected number of true rephrases, found or not.
    harm
        Chance that naming this turn is an error, (m,); default what ``gain`` leaves. A turn that means the same as a request
        that did not fail is neither: a harmless repeat.
    """
    order = np.argsort(-predicted, kind="stable")
    values = predicted[order]
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True)) if len(values) else np.zeros(0, np.int64)
    square = beta * beta
    true = np.cumsum(gain[order])[ends]
    false = np.cumsum((1.0 - gain if harm is None else harm)[order])[ends]
    return values[ends], (1 + square) * true / np.maximum(true + false + square * total, _TINY)


def best_threshold(
    predicted: Floats, gain: Floats, total: float, harm: Floats | None = None, beta: float = BETA
) -> tuple[float, float]:
    """The threshold of the best expected F-score, see `expected_f`, and that score; 0.5 and 0 where nothing is found."""
    thresholds, f = expected_f(predicted, gain, total, harm, beta)
    if not len(f) or f.max() <= 0.0:
        return 0.5, 0.0
    best = int(np.argmax(f))
    below = float(thresholds[best + 1]) if best + 1 < len(thresholds) else 0.0
    return (float(thresholds[best]) + below) / 2, float(f[best])
