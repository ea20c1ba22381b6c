"""Average precision, calibration and bootstrap intervals over whole callers or chats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

Array = NDArray[np.float64]
#: Bins of the calibration error, of equal mass; only probabilities above this are binned.
BINS, LEAST = 10, 0.1


def calibration_error(failed: Array, probability: Array) -> float:
    """Expected calibration error over equal-mass bins of the probabilities above `LEAST`."""
    rows = np.flatnonzero(probability > LEAST)
    rows = rows[np.argsort(probability[rows], kind="stable")]
    if not len(rows):
        return 0.0
    bins = [b for b in np.array_split(rows, BINS) if len(b)]
    return float(sum(len(b) * abs(probability[b].mean() - failed[b].mean()) for b in bins) / len(rows))


def draws_of(unit: NDArray[np.object_], n: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of n bootstrap samples: units drawn with replacement, each with all its rows."""
    _, number = np.unique(unit.astype(str), return_inverse=True)
    rows = [np.flatnonzero(number == k) for k in range(number.max() + 1)]
    rng = np.random.default_rng(seed)
    return [np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))]) for _ in range(n)]


def score(failed: Array, methods: dict[str, Array], draws: list[NDArray[np.int64]], against: str) -> dict[str, Any]:
    """Each method's figures; ``gain`` is the interval of the paired difference of ``against`` to it."""
    jitter = np.random.default_rng(0).uniform(0.0, 1e-9, len(failed))
    precision = {
        name: np.array([average_precision_score(failed[r], (p + jitter)[r]) for r in draws]) for name, p in methods.items()
    }
    out: dict[str, Any] = {}
    for name, p in methods.items():
        low, high = np.quantile(precision[name], [0.025, 0.975])
        gain = np.quantile(precision[against] - precision[name], [0.025, 0.975])
        out[name] = {
            "average_precision": round(float(average_precision_score(failed, p + jitter)), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
            "gain": gain.round(4).tolist(),
            "calibration_error": round(calibration_error(failed, p), 4),
            "brier": round(float(np.mean((p - failed) ** 2)), 4),
        }
    return out
