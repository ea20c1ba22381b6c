"""Rules alone: the signals' log-odds added up, with the NLU's confidence as the starting point."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rewriter.defects.features import RULE_GROUPS
from rewriter.defects.signals import EXPLICIT, SIGNALS
from rewriter.defects.view import Bools, Floats, equals, numbers_of
from rewriter.odds import logit, sigmoid

#: Chance that a turn failed of which the log says nothing.
BASE = 0.12
#: How far the NLU's confidence is believed: 1 reads it as the probability of being right, 0 ignores it.
CONFIDENCE_TRUST = 0.7
#: Log-odds for a turn that the assistant itself took for answered.
ANSWERED = -0.5
FLOOR, CEILING = 0.01, 0.99
EVEN = 0.5


def signal_weights() -> dict[str, float]:
    """Log-odds that each signal adds to the base: its own chance alone, less the base."""
    return {name: float(logit(p) - logit(BASE)) for name, p in SIGNALS.items()}


def rule_probability(view: pa.RecordBatch, signals: dict[str, Bools], hidden: str = "") -> Floats:
    """Probability that each of n turns failed, from `rewriter.defects.signals.find_signals`.

    The start is ``BASE``, moved towards ``1 - nlu_confidence`` where NLU understood something; the confidence of a null
    intent is confidence that there was nothing to understand, so it is not used. ``hidden`` names a group of
    `rewriter.defects.features.RULE_GROUPS` to leave out, as if the log did not record it.
    """
    confidence = np.clip(numbers_of(view, "nlu_confidence"), 0.05, 0.95)
    doubt = logit(1.0 - confidence) - logit(BASE)
    unknown = np.isnan(doubt) | signals["not_understood"] | (hidden == RULE_GROUPS["low_confidence"])
    odds = logit(BASE) + np.where(unknown, 0.0, CONFIDENCE_TRUST * doubt)
    if hidden != RULE_GROUPS["answered"]:
        odds = odds + ANSWERED * equals(view, "status", "ok")
    for name, weight in signal_weights().items():
        if hidden != RULE_GROUPS[name]:
            # NLU's own confidence is already the start; only a recogniser's doubt adds to it.
            present = signals[name] & np.isnan(doubt) if name == "low_confidence" else signals[name]
            odds = odds + weight * present
    return np.clip(sigmoid(odds), FLOOR, CEILING)


def explicit_bounds(signals: dict[str, Bools]) -> tuple[Floats, Floats]:
    """The least and the most probability of failure that explicit signals leave.

    What the assistant itself took for a failure stays at even odds or above, what a user condemned or praised stays so.
    """
    failed = np.logical_or.reduce([signals[name] for name in EXPLICIT])
    least = np.where(failed, EVEN, FLOOR)
    least = np.where(signals["negative_feedback"], SIGNALS["negative_feedback"], least)
    praised = signals["positive_feedback"]
    return np.where(praised, FLOOR, least), np.where(praised, SIGNALS["positive_feedback"], CEILING)
