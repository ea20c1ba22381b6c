"""Training of the defect model: an anchor says how many turns fail, all groups of evidence together say which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from rewriter.defects.agreement import agreement_weights, swapped_probability
from rewriter.defects.comparison import Examples, compare
from rewriter.defects.features import FEATURES, GROUPS, is_strong, log_odds
from rewriter.defects.model import Calibration, DefectModel, standardise
from rewriter.defects.view import Floats
from rewriter.odds import sigmoid

#: Groups that may be the anchor, best first, with the feature that tells whether the log records them.
ANCHORS = {"nlu": "nlu_doubt", "status": "failed_answer", "answer": "answer_misfit"}
#: Share of the turns of which the anchor has to be known, and least number of understood turns to learn from.
MIN_KNOWN = 0.5
MIN_TURNS = 100


def _moments(features: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the known values of each feature, rounded; 0 and 1 where there are none."""
    known = ~np.isnan(features)
    n = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, features, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / n
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / n)
    return np.round(mean, 6), np.where(spread > 1e-4, np.round(spread, 6), 1.0)


def find_anchor(features: NDArray[np.float32]) -> str:
    """The first of `ANCHORS` that these turns record and that varies; empty if none does."""
    for group, name in ANCHORS.items():
        values = features[:, FEATURES.index(name)]
        known = values[~np.isnan(values)]
        if len(known) >= MIN_KNOWN * len(values) and len(known) and np.ptp(known) > 1e-4:
            return group
    return ""


def anchor_log_odds(anchor: str, features: NDArray[np.float32], rules: Floats, swapped_fails: float) -> Floats:
    """What the anchor itself says of n understood turns; NaN where it says nothing.

    NLU's confidence is read as the chance that it is right; a status as the rules read it, with all they know; an answer
    by how often others' answers would fit as well.
    """
    values = np.asarray(features[:, FEATURES.index(ANCHORS[anchor])], dtype=np.float64)
    if anchor == "status":
        return log_odds(rules)
    if anchor == "nlu":
        return values
    known = ~np.isnan(values)
    out = np.full(len(values), np.nan)
    out[known] = log_odds(swapped_fails * swapped_probability(values[known]))
    return out


def _weights(z: Floats, anchor: str) -> tuple[Floats, dict[str, float]]:
    """Weight of each standardised feature, and of each group: its features share the group's weight."""
    varies = z.std(axis=0) > 1e-6
    columns = {g: [i for i, name in enumerate(FEATURES) if GROUPS[name] == g and varies[i]] for g in GROUPS.values()}
    means = {group: z[:, i].mean(axis=1) for group, i in columns.items() if i}
    spread = {group: float(score.std()) for group, score in means.items()}
    scores = {group: (score - score.mean()) / spread[group] for group, score in means.items() if spread[group] > 1e-6}
    groups = agreement_weights(scores, anchor)
    weights = np.zeros(len(FEATURES))
    for group, weight in groups.items():
        weights[columns[group]] = weight / (len(columns[group]) * spread[group])
    return np.round(weights, 6), groups


def _calibration(score: Floats, said: Floats, agreement: float = 1.0) -> Calibration:
    """The score on the anchor's own scale: as many turns fail, and odds vary as much, as far as the score agrees."""
    known = said[~np.isnan(said)]
    mean, spread, width = score.mean(), max(float(score.std()), 1e-6), agreement * known.std()
    moved, share = width * (score - mean) / spread, sigmoid(known).mean()
    centre = brentq(lambda c: sigmoid(c + moved).mean() - share, -20.0, 20.0)
    return Calibration(*(round(float(v), 6) for v in (mean, spread, centre, width)))


def _weighed(examples: Examples, base_rate: float, swapped_fails: float) -> DefectModel | None:
    """The model of the turns that are not held out; None where no anchor says what failure looks like."""
    plain = ~examples.heldout & ~examples.signals["not_understood"]
    features = examples.features[plain]
    anchor = find_anchor(features) if len(features) >= MIN_TURNS else ""
    if not anchor:
        return None
    mean, scale = _moments(features)
    weights, groups = _weights(standardise(features, mean.tolist(), scale.tolist()), anchor)
    model = DefectModel("agreement", base_rate, anchor, tuple(mean.tolist()), tuple(scale.tolist()), tuple(weights.tolist()))
    said = anchor_log_odds(anchor, features, examples.rules[plain], swapped_fails)
    offline, runtime = (model.score(features, variant) for variant in ("offline", "runtime"))
    together = float(np.corrcoef(offline, runtime)[0, 1]) if runtime.std() > 1e-6 else 0.0
    return replace(
        model,
        offline=_calibration(offline, said),
        runtime=_calibration(runtime, said, max(together, 0.0)),
        metrics={"weights": groups},
    )


def train(examples: Examples, swapped_fails: float = 0.5) -> DefectModel:
    """The model of the turns that are not held out; kind "rules" where it does not surely beat the rules on the others.

    Weights come from turns that NLU understood: the others have failed as a rule, and would drown what tells apart.

    Parameters
    ----------
    examples
        Turns of whole days.
    swapped_fails
        Setting ``[defects] swapped_fails``; read only where answers are the anchor.
    """
    fit = ~examples.heldout
    base_rate = round(float(is_strong(examples.signals)[fit].mean()), 6) if fit.any() else 0.0
    model = _weighed(examples, base_rate, swapped_fails)
    if model is None:
        return DefectModel("rules", base_rate, metrics={"reason": "nothing in the log states a chance of failure"})
    compared = compare(model, examples)
    if not compared:
        return DefectModel("rules", base_rate, metrics={"reason": "too few strong signals on held-out days to compare"})
    if compared["gain_lower"] <= 0:
        reason = "on held-out days it did not surely beat the rules"
        return DefectModel("rules", base_rate, metrics=compared | {"reason": reason})
    return replace(model, metrics=model.metrics | compared)
