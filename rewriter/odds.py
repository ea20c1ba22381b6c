"""Probabilities and their log-odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_LIMIT = 700.0  # log-odds beyond which exp overflows


def sigmoid(x: Floats | float) -> Floats:
    """Probability of log-odds, infinite ones too."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(x, np.float64), -_LIMIT, _LIMIT))))


def logit(p: Floats | float, least: float = 0.0, most: float = 1.0) -> Floats:
    """Log-odds of a probability, within those of ``least`` and ``most``; NaN stays.

    >>> logit(np.array([0.5, 1.0]), most=0.75).round(4).tolist()
    [0.0, 1.0986]
    """
    x = np.clip(np.asarray(p, np.float64), least, most)
    return np.asarray(np.log(x / (1.0 - x)))
