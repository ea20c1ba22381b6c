"""Training of the defect model on weak labels, each predicted only from what does not restate it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from rewriter.defects.features import FEATURES, GROUPS, LABEL_GROUPS, SIGNAL_GROUP, is_strong
from rewriter.defects.model import EVIDENCE_SHARE, DefectModel, standardise
from rewriter.defects.rules import logit
from rewriter.defects.view import Bools, Floats

#: A group teaches with at least so many positives on the fit days, and is compared with at least `MIN_COMPARED` later.
MIN_POSITIVES = 50
MIN_COMPARED = 20
#: Bootstrap samples behind the gain over the rules, and the normal quantile of its one-sided 95% lower bound.
N_BOOTSTRAP = 40
Z_GAIN = 1.645
#: Inverse regularisation of each logistic regression: strong, because the labels are noisy.
INVERSE_PENALTY = 0.01


@dataclass(frozen=True)
class Examples:
    """Turns: features (n, f) with history, signals, the rules' probability with each group hidden, held-out flags."""

    features: NDArray[np.float32]
    signals: dict[str, Bools]
    hidden_rules: dict[str, Floats]
    heldout: Bools


def fires(signals: dict[str, Bools], group: str) -> Bools:
    """Where a strong signal of the group is present."""
    found: Bools = np.logical_or.reduce([signals[name] for name, g in SIGNAL_GROUP.items() if g == group])
    return found


def visible(group: str) -> list[int]:
    """Indices of the features that may predict a group's signals.

    Not its own group; and a quick repeat is a fact about the next turn, so what else is known of that turn restates it.
    """
    hidden = {group, "following"} if group == "repeat" else {group}
    return [i for i, name in enumerate(FEATURES) if GROUPS[name] not in hidden]


def _moments(features: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the known values of each feature, rounded; 0 and 1 where there are none."""
    known = ~np.isnan(features)
    n = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, features, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / n
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / n)
    return np.round(mean, 6), np.where(spread > 1e-4, np.round(spread, 6), 1.0)


def _weights(z: Floats, examples: Examples, fit: Bools, seed: int) -> Floats:
    """Weight of each feature, averaged over the groups whose signals it may predict."""
    total, n = np.zeros(len(FEATURES)), np.zeros(len(FEATURES))
    for group in LABEL_GROUPS:
        label, columns = fires(examples.signals, group)[fit], visible(group)
        if MIN_POSITIVES <= label.sum() <= len(label) - MIN_POSITIVES:
            fitted = LogisticRegression(C=INVERSE_PENALTY, max_iter=500, random_state=seed)
            total[columns] += fitted.fit(z[:, columns], label).coef_[0]
            n[columns] += 1
    return np.asarray(np.round(total / np.maximum(n, 1), 6), dtype=np.float64)


def _scores(model: DefectModel, examples: Examples) -> dict[str, tuple[Bools, Floats, Floats]]:
    """Held-out labels of each group, and the log-odds of rules and of model with everything but the group."""
    held, scores = examples.heldout, {}
    # Rules tie often, and average precision counts a tie at its worst: break ties at random, for both alike.
    jitter = np.random.default_rng(0).uniform(0.0, 1e-6, int(held.sum()))
    for group in LABEL_GROUPS:
        label = fires(examples.signals, group)[held]
        if MIN_COMPARED <= label.sum() < len(label):
            rules = logit(examples.hidden_rules[group][held]) + jitter
            joint = rules + EVIDENCE_SHARE * model.evidence(examples.features[held], group)
            scores[group] = (label, rules, joint)
    return scores


def _gain_lower(scores: dict[str, tuple[Bools, Floats, Floats]], seed: int) -> float:
    """Lower bound of the gain in mean average precision over the rules, by a bootstrap over turns."""
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(N_BOOTSTRAP):
        parts = []
        for label, rules, joint in scores.values():
            rows = rng.integers(0, len(label), len(label))
            if label[rows].any():
                parts.append(
                    average_precision_score(label[rows], joint[rows]) - average_precision_score(label[rows], rules[rows])
                )
        gains.append(np.mean(parts))
    return float(np.mean(gains) - Z_GAIN * np.std(gains))


def _compare(model: DefectModel, examples: Examples, seed: int) -> dict[str, Any]:
    """Average precision of rules and model on held-out turns, group by group, their means and the gain's lower bound."""
    scores = _scores(model, examples)
    if not scores:
        return {}
    groups = {
        group: {
            "n": len(label),
            "positives": int(label.sum()),
            "rules": round(float(average_precision_score(label, rules)), 4),
            "model": round(float(average_precision_score(label, joint)), 4),
        }
        for group, (label, rules, joint) in scores.items()
    }
    means = {k: round(float(np.mean([c[k] for c in groups.values()])), 4) for k in ("model", "rules")}
    return {"heldout_average_precision": groups, "mean": means, "gain_lower": round(_gain_lower(scores, seed), 4)}


def train(examples: Examples, seed: int) -> DefectModel:
    """The model fitted on the earlier turns; kind "rules" where it does not surely beat the rules on the held-out ones.

    For each group of strong signals a logistic regression predicts them from the soft features of all other groups, so
    that no label is predicted from what made it. A feature's weight is its mean over these regressions.
    """
    fit = ~examples.heldout
    base_rate = round(float(is_strong(examples.signals)[fit].mean()), 6) if fit.any() else 0.0
    mean, scale = _moments(examples.features[fit])
    z = standardise(examples.features[fit], mean.tolist(), scale.tolist())
    weights = _weights(z, examples, fit, seed)
    rules = DefectModel("rules", base_rate, metrics={"reason": "too few weak labels"})
    if not weights.any():
        return rules
    normaliser = round(float(np.log(np.mean(np.exp(z @ weights)))), 6)
    learnt: dict[str, Any] = {
        "mean": tuple(mean.tolist()),
        "scale": tuple(scale.tolist()),
        "weights": tuple(weights.tolist()),
    }
    model = DefectModel("logistic", base_rate, **learnt, normaliser=normaliser)
    metrics = _compare(model, examples, seed)
    if not metrics:
        return rules
    return replace(model if metrics["gain_lower"] > 0 else rules, metrics=metrics)
