"""Logistic regression on standardised features with calibrated output, kept as readable JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.odds import sigmoid

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Combiner:
    """``probability = sigmoid(slope * (intercept + sum(weight * (x - mean) / scale)) + offset)``.

    Attributes
    ----------
    names
        Feature of each weight, mean and scale, (d,) each.
    slope, offset
        Calibration of the logit, fitted on predictions for users who were left out.
    """

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float
    slope: float = 1.0
    offset: float = 0.0

    def logits(self, features: Floats) -> Floats:
        """Logits before calibration of features (n, d); what is unknown (NaN) counts as its mean in training."""
        apart = (features - self.mean) / self.scale
        return np.where(np.isfinite(features), apart, 0.0) @ self.weights + self.intercept

    def probabilities(self, features: Floats) -> Floats:
        """Calibrated probabilities (n,) of features (n, d)."""
        return sigmoid(self.slope * self.logits(features) + self.offset)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, a row a feature."""
        rows = zip(self.names, self.mean, self.scale, self.weights, strict=True)
        return {
            "features": [{"name": n, "mean": float(m), "scale": float(s), "weight": float(w)} for n, m, s, w in rows],
            "intercept": self.intercept,
            "calibration": {"slope": self.slope, "offset": self.offset},
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any], names: Sequence[str]) -> Combiner:
        """The combiner of `as_json`.

        Raises
        ------
        RewriterError
            If its features are not the ones this code computes, naming the difference.
        """
        rows = data["features"]
        got = tuple(row["name"] for row in rows)
        if got != tuple(names):
            raise RewriterError(
                f"ranker: features {sorted(set(got) ^ set(names)) or 'in another order'} do not match this code"
            )
        mean, scale, weights = (np.array([row[k] for row in rows], np.float64) for k in ("mean", "scale", "weight"))
        calibration = data["calibration"]
        return cls(
            got, mean, scale, weights, float(data["intercept"]), float(calibration["slope"]), float(calibration["offset"])
        )


def _newton(x: Floats, y: Floats, w: Floats, ridge: Floats, steps: int = 50) -> Floats:
    """Weights (d,) of a ridge-penalised logistic regression of y in {0, 1}^n on x (n, d) with row weights w."""
    beta = np.zeros(x.shape[1])
    for _ in range(steps):
        p = sigmoid(x @ beta)
        gradient = x.T @ (w * (p - y)) + ridge * beta
        hessian = (x * (w * p * (1.0 - p) + 1e-9)[:, None]).T @ x + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        # A long step overshoots where classes are nearly separable.
        beta -= step / max(1.0, float(np.abs(step).max()) / 2.0)
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta


def _regression(x: Floats, y: Floats, w: Floats, names: tuple[str, ...], ridge: float) -> Combiner:
    known = np.isfinite(x)
    rows = np.where(known, w[:, None], 0.0)
    total = np.maximum(rows.sum(axis=0), 1e-9)
    mean = (rows * np.where(known, x, 0.0)).sum(axis=0) / total
    apart = np.where(known, x - mean, 0.0)
    spread = np.sqrt((rows * apart**2).sum(axis=0) / total)
    scale = np.where(spread > 1e-9, spread, 1.0)
    design = np.column_stack([apart / scale, np.ones(len(x))])
    penalty = np.append(np.where(spread > 1e-9, ridge, 1e6), 0.0)
    beta = _newton(design, y, w, penalty)
    return Combiner(names, mean, scale, beta[:-1], float(beta[-1]))


def out_of_fold(
    x: Floats, y: Floats, w: Floats, folds: NDArray[np.int64], names: tuple[str, ...], ridge: float = 1.0
) -> Floats:
    """Logits (n,) of each row by a regression that saw no row of its fold; NaN where a fold cannot be left out."""
    logits = np.full(len(y), np.nan)
    for fold in np.unique(folds):
        inside = folds == fold
        if 0.0 < y[~inside].sum() < len(y[~inside]):
            logits[inside] = _regression(x[~inside], y[~inside], w[~inside], names, ridge).logits(x[inside])
    return logits


def fit_combiner(
    x: Floats, y: Floats, w: Floats, folds: NDArray[np.int64], names: Sequence[str], ridge: float = 1.0
) -> Combiner:
    """A combiner of features x (n, d), labels y in {0, 1}, row weights w and folds (n,), one fold for all rows of a user.

    Raises
    ------
    RewriterError
        If there are not both labels.
    """
    if not 0.0 < y.sum() < len(y):
        raise RewriterError("ranker: training needs both wins and other candidates")
    names = tuple(names)
    whole = _regression(x, y, w, names, ridge)
    logits = out_of_fold(x, y, w, folds, names, ridge)
    seen = np.isfinite(logits)
    if not 0.0 < y[seen].sum() < seen.sum():
        return whole
    design = np.column_stack([logits[seen], np.ones(int(seen.sum()))])
    # A unit ridge towards slope 1 keeps tiny logs from learning a wild calibration.
    slope, offset = np.array([1.0, 0.0]) + _towards_identity(design, y[seen], w[seen])
    return Combiner(names, whole.mean, whole.scale, whole.weights, whole.intercept, max(0.05, float(slope)), float(offset))


def _towards_identity(design: Floats, y: Floats, w: Floats) -> Floats:
    """Correction (slope - 1, offset) that best calibrates logits given as the design's first column."""
    delta = np.zeros(2)
    for _ in range(50):
        p = sigmoid(design[:, 0] + design @ delta)
        gradient = design.T @ (w * (p - y)) + delta
        hessian = (design * (w * p * (1.0 - p))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        delta -= step / max(1.0, float(np.abs(step).max()))
    return delta
