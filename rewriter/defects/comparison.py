"""Rules and model on held-out days: strong signals told from everything that does not restate them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from rewriter.defects.features import FEATURES, LABEL_GROUPS, SIGNAL_GROUP
from rewriter.defects.model import DefectModel
from rewriter.defects.view import Bools, Floats

#: A group's signals are compared on held-out days with at least so many of them.
MIN_COMPARED = 20
#: Bootstrap samples behind the gain over the rules, and the normal quantile of its one-sided 95% lower bound.
N_BOOTSTRAP = 40
Z_GAIN = 1.645
_MISFIT = FEATURES.index("answer_misfit")
#: Labels of n turns, and what the rules and the model say of them.
Compared = tuple[Bools, Floats, Floats]


@dataclass(frozen=True)
class Examples:
    """Turns: features (n, f) with history, signals, the rules' probability (whole, with each group hidden), held-out."""

    features: NDArray[np.float32]
    signals: dict[str, Bools]
    rules: Floats
    hidden_rules: dict[str, Floats]
    heldout: Bools


def fires(signals: dict[str, Bools], group: str) -> Bools:
    """Where a strong signal of the group is present."""
    found: Bools = np.logical_or.reduce([signals[name] for name, g in SIGNAL_GROUP.items() if g == group])
    return found


def restated(group: str) -> tuple[str, ...]:
    """Groups that restate a group's signals: a quick repeat is a fact about the next turn, so all that is known of it."""
    return (group, "following", "reaction") if group == "repeat" else (group,)


def _held_out_scores(model: DefectModel, examples: Examples) -> dict[str, Compared]:
    """Of each group's strong signals, and of swapped answers where these are the anchor: label, rules, model."""
    held, scores = examples.heldout, {}
    features, lost = examples.features[held], examples.signals["not_understood"][held]
    # Rules tie often, and average precision counts a tie at its worst: break ties at random, for both alike.
    jitter = np.random.default_rng(0).uniform(0.0, 1e-6, int(held.sum()))
    for group in LABEL_GROUPS:
        label = fires(examples.signals, group)[held]
        if MIN_COMPARED <= label.sum() < len(label):
            odds = model.offline.log_odds(model.score(features, hidden=restated(group)), lost & (group != "nlu"))
            scores[group] = (label, examples.hidden_rules[group][held] + jitter, odds + jitter)
    known = ~np.isnan(features[:, _MISFIT])
    if model.anchor == "answer" and known.sum() >= MIN_COMPARED:
        scores["answer"] = _told_from_swapped(model, features[known], examples.rules[held][known])
    return scores


def _told_from_swapped(model: DefectModel, features: NDArray[np.float32], rules: Floats) -> Compared:
    """Turns, and the same turns with an answer of another dialogue: which are which, by the rules and by the model.

    Among swapped answers a swapped one ranks anywhere, so its misfit is drawn evenly; rules do not read answers.
    """
    swapped = features.copy()
    swapped[:, _MISFIT] = np.random.default_rng(0).uniform(size=len(features))
    label = np.repeat([False, True], len(features))
    return label, np.tile(rules, 2), model.score(np.concatenate([features, swapped]), hidden=("echo",))


def _gain_lower(scores: dict[str, Compared]) -> float:
    """One-sided 95% lower bound of the gain in mean average precision over the rules, by a bootstrap over turns."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(N_BOOTSTRAP):
        parts = []
        for label, rules, model in scores.values():
            rows = rng.integers(0, len(label), len(label))
            if label[rows].any():
                mine, theirs = (average_precision_score(label[rows], score[rows]) for score in (model, rules))
                parts.append(mine - theirs)
        gains.append(np.mean(parts))
    return float(np.mean(gains) - Z_GAIN * np.std(gains))


def compare(model: DefectModel, examples: Examples) -> dict[str, Any]:
    """Average precision of rules and model on held-out turns, group by group, their means and the gain's lower bound."""
    scores = _held_out_scores(model, examples)
    if not scores:
        return {}
    groups = {
        group: {
            "n": len(label),
            "positives": int(label.sum()),
            "rules": round(float(average_precision_score(label, rules)), 4),
            "model": round(float(average_precision_score(label, odds)), 4),
        }
        for group, (label, rules, odds) in scores.items()
    }
    means = {k: round(float(np.mean([c[k] for c in groups.values()])), 4) for k in ("model", "rules")}
    return {"heldout_average_precision": groups, "mean": means, "gain_lower": round(_gain_lower(scores), 4)}
