"""How much speaks for a request failing as it is, before anybody answers it: the run-time defect model, asked online."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rewriter.decision.request import PreviousTurn, Request
from rewriter.defects.features import FAILED, FEATURES, NO_RESULT, log_odds
from rewriter.defects.model import DefectModel

_UNKNOWN = math.nan


def margin_of(scores: Sequence[float | None]) -> float:
    """The first hypothesis' score less the second's; NaN without both.

    >>> margin_of([0.7, 0.3])
    0.4
    """
    first, second = (*scores, None, None)[:2]
    return _UNKNOWN if first is None or second is None else first - second


def entropy_of(scores: Sequence[float | None]) -> float:
    """Entropy, in nats, of the positive scores, scaled to sum to 1; NaN without two of them.

    >>> round(entropy_of([0.5, 0.5]), 4)
    0.6931
    """
    positive = [score for score in scores if score is not None and score > 0.0]
    if len(positive) < 2:
        return _UNKNOWN
    total = sum(positive)
    return math.log(total) - sum(score * math.log(score) for score in positive) / total


def _degree(turn: PreviousTurn | None) -> float:
    """1 after an answer that failed, one half after one without result, 0 after others; NaN where nobody told."""
    if turn is None or turn.response_status is None:
        return _UNKNOWN
    status = turn.response_status.lower()
    return (status in FAILED) + 0.5 * (status == NO_RESULT)


def spoken(request: Request, repeat: float) -> dict[str, float]:
    """What is known, before the answer, of the features of `rewriter.defects.features`; ``repeat`` as for `doubt_of`."""
    first, scores = request.interpretation, [hypothesis.score for hypothesis in request.nbest]
    confidence = first.confidence if first is not None and request.intent is not None else None
    return {
        "nlu_doubt": _UNKNOWN if confidence is None else float(log_odds(np.asarray(1.0 - confidence))),
        "asr_doubt": _UNKNOWN if request.asr_confidence is None else 1.0 - request.asr_confidence,
        "nbest_closeness": 1.0 - margin_of(scores),
        "nbest_entropy": entropy_of(scores),
        "previous_failed": _degree(request.previous_turns[-1] if request.previous_turns else None),
        "repeats_previous": repeat,
    }


def doubt_of(request: Request, model: DefectModel | None, repeat: float = _UNKNOWN) -> float:
    """Log-odds that the request fails as it is; NaN without a model that weighs evidence.

    How the wording fared before is left out, as is what only an encoder tells: the ranker has the former as features of
    its own.

    Parameters
    ----------
    repeat
        Edit similarity to the previous request of the session, 0..1; NaN where there is none.
    """
    if model is None or not model.weights:
        return _UNKNOWN
    told = spoken(request, repeat)
    row = np.array([[told.get(name, _UNKNOWN) for name in FEATURES]], np.float32)
    is_lost = np.array([request.interpretation is not None and request.intent is None])
    return float(model.runtime.log_odds(model.score(row, "runtime"), is_lost)[0])
