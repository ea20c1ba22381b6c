"""From start and end logits to the best user turn and its probability: only whole user turns or none are legal."""

from __future__ import annotations

import numpy as np

from rewriter.odds import sigmoid
from rewriter.rephrase.evidence import said_again
from rewriter.rephrase.log import Floats, Ints


def span_scores(start_logits: Floats, end_logits: Floats, start: Ints, end: Ints) -> Floats:
    """Score of none and of each user turn, (n, 1 + w): start logit of its first token plus end logit of its last.

    None is the span of the first token alone. A turn that does not exist (-1) scores minus infinity.

    Parameters
    ----------
    start_logits, end_logits
        (n, length).
    start, end
        First and last token of each turn, (n, w).
    """
    rows = np.arange(len(start))[:, None]
    turns = start_logits[rows, start] + end_logits[rows, end]
    null = start_logits[:, :1] + end_logits[:, :1]
    return np.concatenate([null, np.where(start < 0, -np.inf, turns)], axis=1).astype(np.float64)


def rephrase_odds(scores: Floats, evidence: Floats, failed: Floats, span_weight: float = 1.0) -> Floats:
    """Log-odds that each turn says its source again, harmless repeats left out, (n, w).

    Each turn is held against the null span alone (as SQuAD 2.0 decides whether there is an answer), because a request may
    be said again more than once. Minus infinity where there is no turn.

    Parameters
    ----------
    scores
        From `span_scores`, (n, 1 + w).
    evidence
        What the views of each turn add to the log-odds that it means the same, (n, w).
    failed
        From `rewriter.rephrase.evidence.failed_odds`, (n, w).
    span_weight
        How much of the spans' scores is believed beside the evidence: 0 leaves the evidence alone.
    """
    present = np.isfinite(scores[:, 1:])
    spans = np.where(present, scores[:, 1:], scores[:, :1]) - scores[:, :1]
    same = span_weight * spans + evidence
    return np.where(present, said_again(same, failed), -np.inf)


def probabilities(odds: Floats, temperature: float = 1.0, bias: float = 0.0) -> Floats:
    """Calibrated chance of each turn: logistic in ``(odds - bias) / temperature``, (n, w); 0 where there is no turn.

    >>> probabilities(np.array([[np.log(3.0), -np.inf]])).round(2).tolist()
    [[0.75, 0.0]]
    """
    return sigmoid((odds - bias) / temperature) * np.isfinite(odds)


def best_turn(chances: Floats, n_turns: Ints) -> tuple[Ints, Floats]:
    """The most likely of each row's turns, counted from 1, and its probability; 0 and 0.0 where there is none.

    Of equally likely turns the nearest is taken. ``n_turns`` (n,) says how many of the columns of ``chances`` (n, w) are
    turns.
    """
    turns = np.where(np.arange(chances.shape[1]) < n_turns[:, None], chances, -1.0)
    best = np.argmax(turns, axis=1)
    probability = turns[np.arange(len(turns)), best]
    return np.where(n_turns > 0, best + 1, 0), np.where(n_turns > 0, probability, 0.0)
