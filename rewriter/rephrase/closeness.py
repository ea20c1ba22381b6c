"""How close a later turn comes to a request: in wording, sound, what the recogniser also heard, or interpretation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from rewriter.rephrase.log import Floats, Ints, Log
from rewriter.text import sounds_of

#: An alternative of the recogniser is less sure to have been said than its first.
ALTERNATIVE_PENALTY = 0.05
#: Closeness of two turns with the same interpretation, however they are worded.
SAME_READING = 0.75
#: Closeness of a turn whose slot values were all heard in a request that was not understood.
HEARD_VALUES = 0.7
_HEARD = 90.0  # partial ratio, 0..100
_DONT_CARE = "dontcare"


def window_pairs(following: Ints) -> tuple[Ints, Ints]:
    """(source, later turn) of every pair in a window, row numbers, ordered.

    >>> [a.tolist() for a in window_pairs(np.array([2, 1, 0]))]
    [[0, 0, 1], [1, 2, 2]]
    """
    source = np.repeat(np.arange(len(following)), following)
    first = np.cumsum(following) - following
    return source, source + 1 + np.arange(len(source)) - first[source]


def _similarity(a: Sequence[str], b: Sequence[str]) -> Floats:
    if not a:
        return np.zeros(0)
    both = np.fromiter((bool(x and y) for x, y in zip(a, b, strict=True)), bool, len(a))
    return np.where(both, cpdist(a, b, scorer=Levenshtein.normalized_similarity, dtype=np.float64), 0.0)


def _sounds(log: Log) -> list[str]:
    known = {text: sounds_of(text).replace(" ", "") for text in set(log.text)}
    return [known[text] for text in log.text]


def _alternatives(log: Log, source: Ints, later: Ints, out: Floats) -> None:
    rows = [(pair, a) for pair, i in enumerate(source) for a in log.alternatives[i]]
    if rows:
        pairs = np.fromiter((pair for pair, _ in rows), np.int64, len(rows))
        scores = _similarity([a for _, a in rows], [log.text[j] for j in later[pairs]])
        np.maximum.at(out, pairs, scores - ALTERNATIVE_PENALTY)


def _heard(log: Log, i: int, j: int) -> bool:
    values = [v for v in log.values[j] if v != _DONT_CARE]
    heard = [log.text[i], *log.alternatives[i]]
    return bool(values) and all(
        any(len(h) >= len(v) and fuzz.partial_ratio(v, h, score_cutoff=_HEARD) for h in heard) for v in values
    )


def closeness(log: Log, source: Ints, later: Ints) -> NDArray[np.float64]:
    """Closeness of each pair in 0..1, (m,): the best of four likenesses.

    - edit similarity of the two normalised texts, and of their Metaphone keys,
    - edit similarity of the later text and what the recogniser also heard in the source, less 0.05,
    - 0.75 if both were understood, and as the same,
    - 0.7 if the source was not understood, and every slot value of the later turn was heard in it.
    """
    texts, sounds = log.text, _sounds(log)
    words = _similarity([texts[i] for i in source], [texts[j] for j in later])
    out = np.maximum(words, _similarity([sounds[i] for i in source], [sounds[j] for j in later]))
    _alternatives(log, source, later, out)
    readings = log.reading
    same = np.fromiter((readings[i] != "" and readings[i] == readings[j] for i, j in zip(source, later, strict=True)), bool)
    out[same] = np.maximum(out[same], SAME_READING)
    for pair in np.flatnonzero(log.lost[source] & ~log.lost[later] & (out < HEARD_VALUES)):
        if _heard(log, int(source[pair]), int(later[pair])):
            out[pair] = HEARD_VALUES
    return out


def window_matrix(log: Log, window_turns: int) -> NDArray[np.float64]:
    """Closeness of each turn and the next ones in its window, (n, window_turns); -1 where no turn lies in the window."""
    source, later = window_pairs(log.following)
    out = np.full((len(log), window_turns), -1.0)
    out[source, later - source - 1] = closeness(log, source, later)
    return out
