"""Soft features of a turn and of what followed it, in groups that can be hidden together."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rapidfuzz import fuzz

from rewriter.defects.signals import STRONG
from rewriter.defects.view import (
    Bools,
    Floats,
    equals,
    flags,
    numbers_of,
    present,
    sound_similarity,
    understood,
    word_similarity,
)

#: What the rules read -> group, and soft features -> group. A group holds everything that restates one strong signal, so
#: hiding it hides that signal whole.
RULE_GROUPS: dict[str, str] = {
    "error": "status",
    "fallback": "status",
    "unsupported": "status",
    "no_result": "status",
    "answered": "status",
    "abandonment": "status",
    "not_understood": "nlu",
    "low_confidence": "nlu",
    "negative_feedback": "feedback",
    "positive_feedback": "feedback",
    "quick_repeat": "repeat",
    "barge_in": "user",
}
GROUPS: dict[str, str] = {
    "nlu_doubt": "nlu",
    "next_word_similarity": "repeat",
    "next_sound_similarity": "repeat",
    "next_token_similarity": "repeat",
    "next2_word_similarity": "repeat",
    "same_reading_next": "repeat",
    "next_barge_in": "user",
    "asr_doubt": "asr",
    "nbest_closeness": "asr",
    "next_log_gap": "following",
    "next_answered": "following",
    "next_failed": "following",
    "next_not_understood": "following",
    "next_nlu_doubt": "following",
    "repeats_previous": "preceding",
    "previous_failed": "preceding",
    "log_words": "wording",
    "history_rate": "history",
    "history_log_count": "history",
}
FEATURES = tuple(GROUPS)
#: Strong signal -> the group that restates it.
SIGNAL_GROUP = {name: RULE_GROUPS[name] for name in STRONG}
#: Groups whose strong signals make weak labels.
LABEL_GROUPS = tuple(dict.fromkeys(SIGNAL_GROUP.values()))
_FAILED = ("error", "fallback", "unsupported")
#: Turns of the same wording that the log's mean rate stands for in `history_rate`.
HISTORY_PRIOR = 4.0


def _repeat_features(view: pa.RecordBatch) -> dict[str, Floats]:
    reading, following = view.column("reading"), view.column("next_reading")
    both = present(view, "reading") & present(view, "next_reading") & understood(view)
    same = np.asarray([a == b for a, b in zip(reading.to_pylist(), following.to_pylist(), strict=True)], dtype=bool)
    token = word_similarity(view, "next_text", fuzz.token_set_ratio) / 100.0
    return {
        "next_word_similarity": word_similarity(view, "next_text"),
        "next_sound_similarity": sound_similarity(view, "next_text"),
        "next_token_similarity": token,
        "next2_word_similarity": word_similarity(view, "next2_text"),
        "same_reading_next": np.where(both, same, np.nan),
    }


def _following_features(view: pa.RecordBatch, has_intents: bool) -> dict[str, Floats]:
    followed = present(view, "next_text")
    known = followed & present(view, "next_status")
    lost = ~understood(view, "next_intent") if has_intents else np.zeros(view.num_rows, dtype=bool)
    return {
        "next_barge_in": np.where(present(view, "next_barge_in"), flags(view, "next_barge_in"), np.nan),
        "next_log_gap": np.log1p(np.maximum(numbers_of(view, "next_gap_s"), 0.0)),
        "next_answered": np.where(known, equals(view, "next_status", "ok"), np.nan),
        "next_failed": np.where(known, equals(view, "next_status", *_FAILED), np.nan),
        "next_not_understood": np.where(followed, lost, np.nan),
        "next_nlu_doubt": np.where(lost, np.nan, 1.0 - numbers_of(view, "next_nlu_confidence")),
    }


def feature_columns(view: pa.RecordBatch, signals: dict[str, Bools], has_intents: bool) -> NDArray[np.float32]:
    """Features of n turns, shape (n, len(FEATURES)), in the order of `FEATURES`; NaN = the log does not say.

    The two history features are NaN: they need the whole log (see `history_columns`).
    """
    missing = np.full(view.num_rows, np.nan)
    words = np.asarray([text.count(" ") + 1 for text in view.column("text").to_pylist()], dtype=np.float64)
    columns: dict[str, Floats] = {
        "nlu_doubt": np.where(signals["not_understood"], np.nan, 1.0 - numbers_of(view, "nlu_confidence")),
        "asr_doubt": 1.0 - numbers_of(view, "asr_confidence"),
        "nbest_closeness": 1.0 - numbers_of(view, "nbest_margin"),
        "repeats_previous": word_similarity(view, "prev_text"),
        "previous_failed": np.where(present(view, "prev_status"), equals(view, "prev_status", *_FAILED), np.nan),
        "log_words": np.log(words),
        "history_rate": missing,
        "history_log_count": missing,
        **_repeat_features(view),
        **_following_features(view, has_intents),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1).astype(np.float32)


def is_strong(signals: dict[str, Bools]) -> Bools:
    """Where at least one strong signal is present."""
    found: Bools = np.logical_or.reduce([signals[name] for name in STRONG])
    return found


def history_columns(strong: Bools, n_same: Floats, n_strong: Floats, base_rate: float) -> dict[str, Floats]:
    """What the log's other turns of the same wording say: their shrunken rate of strong signals, and how many they are.

    Parameters
    ----------
    strong
        Whether the turn itself has a strong signal; it is left out of its own history.
    n_same, n_strong
        Turns of this wording and locale, and those with a strong signal, the turn itself included.
    base_rate
        Rate of strong signals in the log.
    """
    others = n_same - 1.0
    rate = (n_strong - strong + HISTORY_PRIOR * base_rate) / (others + HISTORY_PRIOR)
    return {"history_rate": rate, "history_log_count": np.log1p(others)}


def with_history(features: NDArray[np.float32], history: dict[str, Floats]) -> NDArray[np.float32]:
    """A copy of the features with the history columns filled."""
    filled = features.copy()
    for name, values in history.items():
        filled[:, FEATURES.index(name)] = values
    return filled
