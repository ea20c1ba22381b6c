"""Weak labels of rephrases from the log alone, by documented rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewriter.rephrase.association import associated
from rewriter.rephrase.log import STATUSES, Bools, Floats, Ints, Log

#: A turn less likely than this to have failed has no rephrase, whatever follows.
FINE_BELOW = 0.2
#: A later turn less close than this is something else.
FAR_BELOW = 0.3
#: Later turns this much less close than the closest count as right too: a request may be said again more than once.
ALSO_CLOSE = 0.15
#: Closeness of what many users said next after the same request failed, whatever its words.
ASSOCIATED = 0.7
#: Slope of the chance that a later turn says the same, over its closeness.
SLOPE = 0.1

#: What a label was made from. All but the first and the last are nulls; the harder ones are named.
KINDS = (
    "rephrase",  # failed, and a later turn is close: more likely than not
    "repeat_after_success",  # answered, and said again with the same interpretation: wanted once more
    "slot_changed",  # fine, and said again with another value
    "next_goal_same_domain",  # fine, and another request to the same domain
    "next_goal",  # fine, and something else
    "answer",  # failed, the assistant asked something, and nothing later is close
    "moved_on",  # failed, and nothing later is close
    "unsure",  # the rules do not decide: between 0 and 0.5
)


@dataclass(frozen=True)
class WeakLabels:
    """Labels of m sources.

    Attributes
    ----------
    source
        Row numbers in the log, (m,).
    probability
        Chance that the source has a rephrase in its window, (m,).
    right
        Which of the next turns would be right if it has one, (m, window_turns).
    kind
        Position in ``KINDS``, (m,).
    """

    source: Ints
    probability: Floats
    right: Bools
    kind: Ints

    def counts(self) -> dict[str, int]:
        """How many labels each rule made."""
        return {name: int(np.sum(self.kind == k)) for k, name in enumerate(KINDS)}


def says_the_same(close: Floats, weak_similarity: float) -> Floats:
    """Chance that a later turn of that closeness says the same, in 0..1: a half at ``weak_similarity``."""
    chance = 1.0 / (1.0 + np.exp(-(close - weak_similarity) / SLOPE))
    return np.where(close < FAR_BELOW, 0.0, chance)


def _looks_failed(log: Log, rows: Ints) -> Bools:
    """Whether the assistant itself gave another status than ok."""
    return np.asarray(log.status[rows] > STATUSES.index("ok"))


def _null_kinds(log: Log, source: Ints, close: Floats, weak_similarity: float) -> Ints:
    fine = log.defect[source] < FINE_BELOW
    best = np.argmax(close, axis=1)
    later = source + 1 + best
    near = close.max(axis=1) >= weak_similarity
    same_reading = np.array([log.reading[i] == log.reading[j] for i, j in zip(source, later, strict=True)], dtype=bool)
    same_domain = np.array([log.domain[i] != "" and log.domain[i] == log.domain[i + 1] for i in source], dtype=bool)
    asked = np.array([log.response[i].rstrip().endswith(("?", "？", "؟")) for i in source], dtype=bool)
    conditions = [(fine | ~_looks_failed(log, source)) & near & same_reading, fine & near, fine & same_domain, fine, asked]
    names = ["repeat_after_success", "slot_changed", "next_goal_same_domain", "next_goal", "answer"]
    kinds = [np.full(len(source), KINDS.index(name)) for name in names]
    return np.select(conditions, kinds, default=KINDS.index("moved_on")).astype(np.int64)


def _evidence(log: Log, source: Ints, close: Floats) -> Floats:
    """Closeness as a label sees it, (m, w): an association counts, the same answer wanted once more does not."""
    near = close.copy()
    near[:, 0] = np.where(associated(log)[source], np.maximum(near[:, 0], ASSOCIATED), near[:, 0])
    failed = _looks_failed(log, np.arange(len(log)))
    for k in range(close.shape[1]):
        present = np.flatnonzero(log.following[source] > k)
        here, later = source[present], source[present] + k + 1
        same = np.array(
            [log.reading[i] != "" and log.reading[i] == log.reading[j] for i, j in zip(here, later, strict=True)], dtype=bool
        )
        answered = ~failed[here] & ~failed[later]
        near[present[same & answered], k] = 0.0
    return near


def weak_labels(log: Log, close: Floats, weak_similarity: float) -> WeakLabels:
    """Labels of every turn that has another in its window.

    A turn has a rephrase with probability ``defect x says_the_same(closeness of the closest later turn)``; none at all if it
    looks fine or nothing later is near. What many users said next after the same request failed counts as close, whatever
    its words (see `rewriter.rephrase.association`); the same interpretation as before, both times answered, does not count:
    it was wanted once more. Whether the later turn succeeded is not asked, since many second attempts fail as well.

    Notes
    -----
    On real calls (restaurant information, train part, rule labels of defects) the labels have precision 0.48 and recall
    0.47 against what people marked; without the exception for repeats 0.44 and 0.47. Where only later turns that look
    successful count, recall falls by half.

    Parameters
    ----------
    close
        From `rewriter.rephrase.closeness.window_matrix`, (n, window_turns).
    """
    source = np.flatnonzero(log.following > 0)
    near = _evidence(log, source, close[source])
    closest = near.max(axis=1, initial=-1.0)
    defect = log.defect[source]
    probability = np.where(defect < FINE_BELOW, 0.0, defect * says_the_same(closest, weak_similarity))
    right = (near >= closest[:, None] - ALSO_CLOSE) & (near >= FAR_BELOW)
    kind = _null_kinds(log, source, close[source], weak_similarity)
    kind[probability > 0.0] = KINDS.index("unsure")
    kind[probability >= 0.5] = KINDS.index("rephrase")
    return WeakLabels(source, probability, right, kind)
