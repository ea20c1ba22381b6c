"""Evidence of failure in a turn, in what was answered and in what followed: more always means worse."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rapidfuzz import fuzz

from rewriter.defects.meaning import CONTEXT, Meaning
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
from rewriter.odds import logit

#: What the rules read -> group: hiding a group hides everything that restates its strong signals.
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
#: Feature -> group. A group speaks with one voice: its features say the same in other words.
GROUPS: dict[str, str] = {
    "nlu_doubt": "nlu",
    "asr_doubt": "asr",
    "nbest_closeness": "asr",
    "nbest_entropy": "asr",
    "rare_wording": "wording",
    "history_doubt": "history",
    "previous_failed": "preceding",
    "repeats_previous": "preceding",
    "previous_misfit": "preceding",
    "failed_answer": "status",
    "answer_echo": "echo",
    "answer_misfit": "answer",
    "barge_in": "user",
    "next_word_similarity": "repeat",
    "next_sound_similarity": "repeat",
    "next_token_similarity": "repeat",
    "next_meaning_similarity": "repeat",
    "next_complains": "reaction",
    "next_failed": "following",
    "next_doubt": "following",
}
FEATURES = tuple(GROUPS)
#: Features that an encoder tells.
MEANT = ("previous_misfit", "answer_misfit", "next_meaning_similarity", "next_complains")
#: Groups known before the assistant answers; an online decision may look at no other.
RUNTIME_GROUPS = ("nlu", "asr", "wording", "history", "preceding")
#: Strong signal -> the group that restates it.
SIGNAL_GROUP = {name: RULE_GROUPS[name] for name in STRONG}
#: Groups whose strong signals make weak labels.
LABEL_GROUPS = tuple(dict.fromkeys(SIGNAL_GROUP.values()))
_FAILED = ("error", "fallback", "unsupported")
#: Turns of the same wording that the log's mean rate stands for in `history_doubt`.
HISTORY_PRIOR = 4.0
#: Where log-odds end: a recogniser's or an NLU's own confidence is never quite 0 or 1.
_LEAST, _MOST = 0.02, 0.97


def log_odds(p: Floats) -> Floats:
    """Log-odds of a probability, within those of 2% and 97%; NaN stays."""
    return logit(p, _LEAST, _MOST)


def _failed(view: pa.RecordBatch, name: str) -> Floats:
    """1 for an answer that failed, one half for one without result, 0 for others; NaN where the log does not say."""
    degree = equals(view, name, *_FAILED) + 0.5 * equals(view, name, "no_result")
    return np.where(present(view, name), degree, np.nan)


def _doubt(view: pa.RecordBatch, prefix: str, has_intents: bool) -> Floats:
    """Log-odds that NLU is wrong by its own confidence; a neighbour that it did not understand has the most."""
    doubt = log_odds(1.0 - numbers_of(view, f"{prefix}nlu_confidence"))
    lost = ~understood(view, f"{prefix}intent") & has_intents
    if not prefix:
        return np.where(lost, np.nan, doubt)
    return np.where(present(view, f"{prefix}text"), np.where(lost, log_odds(np.ones(1)), doubt), np.nan)


def _spoken(view: pa.RecordBatch, has_intents: bool) -> dict[str, Floats]:
    """What is known of the request and of what came before it."""
    followed = present(view, "prev_text")
    return {
        "nlu_doubt": _doubt(view, "", has_intents),
        "asr_doubt": 1.0 - numbers_of(view, "asr_confidence"),
        "nbest_closeness": 1.0 - numbers_of(view, "nbest_margin"),
        "nbest_entropy": numbers_of(view, "nbest_entropy"),
        "previous_failed": _failed(view, "prev_status"),
        "repeats_previous": np.where(followed, word_similarity(view, "prev_text"), np.nan),
    }


def _answered(view: pa.RecordBatch, has_intents: bool) -> dict[str, Floats]:
    """What is known of the answer and of what came after it."""
    followed = present(view, "next_text")
    token = word_similarity(view, "next_text", fuzz.token_set_ratio) / 100.0
    return {
        "failed_answer": _failed(view, "status"),
        "answer_echo": np.where(present(view, "is_echo"), flags(view, "is_echo"), np.nan),
        "barge_in": np.where(present(view, "barge_in"), flags(view, "barge_in"), np.nan),
        "next_word_similarity": np.where(followed, word_similarity(view, "next_text"), np.nan),
        "next_sound_similarity": np.where(followed, sound_similarity(view, "next_text"), np.nan),
        "next_token_similarity": np.where(followed, token, np.nan),
        "next_failed": _failed(view, "next_status"),
        "next_doubt": _doubt(view, "next_", has_intents),
    }


def _meant(view: pa.RecordBatch, meaning: Meaning) -> dict[str, Floats]:
    """What an encoder tells of the turn."""
    values = (
        meaning.misfit(view, "prev_response", {"prev_text": 1.0}),
        meaning.misfit(view, "response", CONTEXT),
        meaning.similarity(view, "next_text"),
        meaning.complaint(view, "next_text"),
    )
    return dict(zip(MEANT, values, strict=True))


def feature_columns(view: pa.RecordBatch, has_intents: bool, meaning: Meaning | None = None) -> NDArray[np.float32]:
    """Features of n turns, shape (n, len(FEATURES)), in the order of `FEATURES`; NaN = the log does not say.

    The two features of a wording's history are NaN: they need the whole log (see `history_columns`). Without
    ``meaning``, what an encoder tells is NaN too.
    """
    columns = _spoken(view, has_intents) | _answered(view, has_intents) | (_meant(view, meaning) if meaning else {})
    missing = np.full(view.num_rows, np.nan)
    return np.stack([columns.get(name, missing) for name in FEATURES], axis=1).astype(np.float32)


def is_strong(signals: dict[str, Bools]) -> Bools:
    """Where at least one strong signal is present."""
    found: Bools = np.logical_or.reduce([signals[name] for name in STRONG])
    return found


def history_columns(strong: Bools, n_same: Floats, n_strong: Floats, base_rate: float) -> dict[str, Floats]:
    """What the log's other turns of the same wording say: how few they are, and how often they had a strong signal.

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
    return {"rare_wording": -np.log1p(others), "history_doubt": log_odds(rate)}


def with_history(features: NDArray[np.float32], history: dict[str, Floats]) -> NDArray[np.float32]:
    """A copy of the features with the history columns filled."""
    filled = features.copy()
    for name, values in history.items():
        filled[:, FEATURES.index(name)] = values
    return filled
