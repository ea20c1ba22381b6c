"""Signals that a turn failed, each read from the log alone and named in the output."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rewriter.defects.view import Bools, equals, flags, numbers_of, present, sound_similarity, understood, word_similarity
from rewriter.settings import Defects

#: Chance that a turn with this signal alone failed, without knowledge of the NLU's confidence: a judgement, not a fit.
#: `no_result` may be a true answer ("there is no such restaurant"), and users talk over prompts that they know.
SIGNALS: dict[str, float] = {
    "error": 0.85,
    "fallback": 0.75,
    "unsupported": 0.75,
    "not_understood": 0.75,
    "negative_feedback": 0.90,
    "quick_repeat": 0.60,
    "no_result": 0.50,
    "barge_in": 0.30,
    "abandonment": 0.25,
    "low_confidence": 0.25,
    "positive_feedback": 0.02,
}
#: Signals that say by themselves that the turn failed; `no_result`, barge-in and the rest need company.
STRONG = ("error", "fallback", "unsupported", "not_understood", "negative_feedback", "quick_repeat")
#: Signals that the assistant or the user stated outright: no model talks them away.
EXPLICIT = ("error", "fallback", "unsupported", "negative_feedback")


def _quick_repeat(view: pa.RecordBatch, settings: Defects) -> Bools:
    repeat = np.zeros(view.num_rows, dtype=bool)
    for neighbour in ("next", "next2"):
        soon = numbers_of(view, f"{neighbour}_gap_s", np.inf) <= settings.quick_repeat_s
        # Most turns have no neighbour so soon: only the others' words are compared.
        near = view.filter(pa.array(soon))
        alike = np.maximum(word_similarity(near, f"{neighbour}_text"), sound_similarity(near, f"{neighbour}_text"))
        repeat[soon] |= alike >= settings.repeat_similarity
    return repeat


def find_signals(view: pa.RecordBatch, settings: Defects, has_intents: bool) -> dict[str, Bools]:
    """Where each signal of `SIGNALS` is present, in that order; n booleans each.

    Parameters
    ----------
    view
        n turns with the columns of `rewriter.defects.view.VIEW`.
    settings
        Section ``[defects]``.
    has_intents
        Whether the log records intents at all; without, a null intent says nothing.
    """
    failed = equals(view, "status", "error", "fallback", "unsupported", "no_result")
    lost = ~understood(view) if has_intents else np.zeros(view.num_rows, dtype=bool)
    unsure = (numbers_of(view, "nlu_confidence", 1.0) < settings.low_confidence) | (
        numbers_of(view, "asr_confidence", 1.0) < settings.low_asr_confidence
    )
    unanswered = ~present(view, "status") & (lost | unsure)
    barge_in = flags(view, "barge_in")
    return {
        "error": equals(view, "status", "error"),
        "fallback": equals(view, "status", "fallback"),
        "unsupported": equals(view, "status", "unsupported"),
        "not_understood": lost,
        "negative_feedback": equals(view, "feedback", "negative"),
        "quick_repeat": _quick_repeat(view, settings),
        "no_result": equals(view, "status", "no_result"),
        "barge_in": barge_in,
        "abandonment": flags(view, "is_last") & (failed | barge_in | unanswered),
        "low_confidence": unsure,
        "positive_feedback": equals(view, "feedback", "positive"),
    }


def signal_names(signals: dict[str, Bools]) -> list[list[str]]:
    """Names of the signals of each turn, in the order of `SIGNALS`."""
    names = list(signals)
    matrix = np.stack([signals[name] for name in names], axis=1)
    return [[names[i] for i in np.flatnonzero(row)] for row in matrix]
