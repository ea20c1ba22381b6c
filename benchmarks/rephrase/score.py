"""Predictions against truth: F1 at a threshold, average precision, calibration, and intervals over users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: Calibration is read over bins of equal mass of the predictions above this.
CALIBRATED_ABOVE, N_BINS = 0.1, 10
#: Draws of outcomes that say how large the error of right probabilities is.
CHANCE_DRAWS = 200


@dataclass(frozen=True)
class Verdicts:
    """One method's predictions on one set, a row a turn that has a candidate.

    Attributes
    ----------
    probability : (m,) float
    right, wrong : (m,) bool
        A prediction that is neither is ignored: the same request again after a turn that did not fail.
    user : (m,) int
        Number of the user in 0..n_users-1.
    positives : (n_users,) float
        Turns with a true rephrase, predicted or not.
    """

    probability: Floats
    right: Bools
    wrong: Bools
    user: Ints
    positives: Floats

    def falling(self) -> Verdicts:
        """The same, the surest first: what is in order is sorted fast, once for each bootstrap sample."""
        order = np.argsort(-self.probability, kind="stable")
        return Verdicts(self.probability[order], self.right[order], self.wrong[order], self.user[order], self.positives)

    def weighted(self, weight: Floats, threshold: float) -> tuple[float, float]:
        """F1 at the threshold and average precision with each user counted ``weight`` (n_users,) times."""
        each = weight[self.user]
        wanted = float(self.positives @ weight)
        over = self.probability >= threshold
        true, false = float(each[over & self.right].sum()), float(each[over & self.wrong].sum())
        f1 = 2 * true / max(true + false + wanted, 1e-12)
        return f1, average_precision(self.probability, each * self.right, each * self.wrong, wanted)

    def best_threshold(self) -> float:
        """The threshold of the best F1 here."""
        order = np.argsort(-self.probability, kind="stable")
        right, wrong = np.cumsum(self.right[order]), np.cumsum(self.wrong[order])
        f1 = 2 * right / np.maximum(right + wrong + self.positives.sum(), 1e-12)
        last = np.append(np.diff(self.probability[order]) != 0, True) if len(order) else np.zeros(0, bool)
        return float(self.probability[order][np.argmax(np.where(last, f1, -1.0))]) if len(order) else 1.0

    def calibration(self) -> dict[str, float]:
        """Expected calibration error and Brier score beside that of the base rate; ignored predictions are left out.

        ``ece_by_chance`` is the error to be expected of probabilities that are exactly right: outcomes drawn from them.
        """
        judged = self.right | self.wrong
        p, y = self.probability[judged], self.right[judged].astype(np.float64)
        high = p > CALIBRATED_ABOVE
        drawn = np.random.default_rng(0).random((CHANCE_DRAWS, int(high.sum()))) < p[high]
        base = float(y.mean()) if len(y) else 0.0
        return {
            "n": int(high.sum()),
            "ece": round(calibration_error(p[high], y[high]), 4),
            "ece_by_chance": round(float(np.mean([calibration_error(p[high], row) for row in drawn])), 4),
            "brier": round(float(np.mean((p - y) ** 2)) if len(y) else 0.0, 4),
            "brier_of_base_rate": round(base * (1 - base), 4),
        }


def calibration_error(p: Floats, y: Floats | Bools) -> float:
    """Expected calibration error of probabilities (n,) over `N_BINS` bins of equal mass; 0 of none."""
    bins = np.array_split(np.argsort(p, kind="stable"), N_BINS)
    gaps = [abs(float(p[b].mean() - y[b].mean())) * len(b) for b in bins if len(b)]
    return sum(gaps) / max(len(p), 1)


def average_precision(probability: Floats, right: Floats, wrong: Floats, wanted: float) -> float:
    """Area under precision over recall by steps; equal probabilities enter together."""
    if wanted <= 0 or not len(probability):
        return 0.0
    order = np.argsort(-probability, kind="stable")
    last = np.append(np.diff(probability[order]) != 0, True)
    true, false = np.cumsum(right[order])[last], np.cumsum(wrong[order])[last]
    precision = true / np.maximum(true + false, 1e-12)
    return float(np.sum(precision * np.diff(true, prepend=0.0)) / wanted)


def user_weights(n_users: int, draws: int, seed: int) -> Floats:
    """How often each user is drawn in each bootstrap sample, (draws, n_users)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_users, np.full(n_users, 1.0 / n_users), size=draws).astype(np.float64)


def figures(verdicts: Verdicts, threshold: float, weights: Floats) -> tuple[dict[str, object], Floats]:
    """F1 and average precision with 95% intervals, and both of every bootstrap sample, (draws, 2)."""
    verdicts = verdicts.falling()
    point = verdicts.weighted(np.ones(len(verdicts.positives)), threshold)
    draws = np.array([verdicts.weighted(weight, threshold) for weight in weights])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    result: dict[str, object] = {"threshold": round(threshold, 4)}
    for k, name in enumerate(("f1", "average_precision")):
        result[name] = round(point[k], 4)
        result[f"{name}_interval"] = [round(float(low[k]), 4), round(float(high[k]), 4)]
    return result, draws


def paired(lead: Sequence[Floats]) -> dict[str, object]:
    """Mean lead in F1 over all sets, from the differences of each set's bootstrap samples, (draws,) each."""
    mean = np.mean(np.stack(lead), axis=0)
    low, high = np.quantile(mean, [0.025, 0.975])
    return {"mean": round(float(mean.mean()), 4), "interval": [round(float(low), 4), round(float(high), 4)]}
