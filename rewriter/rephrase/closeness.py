"""How close a later turn comes to a request in wording and sound, over all that the recogniser heard in either."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from rewriter.rephrase.log import Bools, Floats, Ints, Log
from rewriter.text import sounds_of

#: An alternative of the recogniser is less sure to have been said than its first.
ALTERNATIVE_PENALTY = 0.05
_HEARD = 90.0  # partial ratio, 0..100
_DONT_CARE = "dontcare"
_KANA = ("KATAKANA LETTER", "HIRAGANA LETTER")


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


def spelt(sounds: str) -> str:
    """A key of sounds with its kana spelt out, as their Unicode names do: one sound of a syllable is a small difference.

    >>> spelt("ミコ2")
    'miko2'
    """
    names = ((letter, unicodedata.name(letter, "")) for letter in sounds)
    return "".join(name.split()[-1].lower() if name.startswith(_KANA) else letter for letter, name in names)


def _sounds(log: Log) -> list[str]:
    known = {text: spelt(sounds_of(text).replace(" ", "")) for text in set(log.text)}
    return [known[text] for text in log.text]


def _alternatives(log: Log, source: Ints, later: Ints, out: Floats) -> None:
    """Raise ``out`` to the likeness of any two things heard in the pairs, at least one of them not the first choice."""
    first, second, pairs = [], [], []
    for pair, (i, j) in enumerate(zip(source.tolist(), later.tolist(), strict=True)):
        others, heard = log.alternatives[j], (log.text[j], *log.alternatives[j])
        couples = [(log.text[i], b) for b in others] + [(a, b) for a in log.alternatives[i] for b in heard]
        first += [a for a, _ in couples]
        second += [b for _, b in couples]
        pairs += [pair] * len(couples)
    if pairs:
        np.maximum.at(out, np.array(pairs, np.int64), _similarity(first, second) - ALTERNATIVE_PENALTY)


def closeness(log: Log, source: Ints, later: Ints) -> NDArray[np.float64]:
    """Closeness of each pair in 0..1, (m,): the best of three likenesses.

    - edit similarity of the two normalised texts, and of their sounds (Metaphone keys, kana spelt out),
    - edit similarity of whatever the recogniser also heard in either turn, less 0.05.
    """
    texts, sounds = log.text, _sounds(log)
    words = _similarity([texts[i] for i in source], [texts[j] for j in later])
    out = np.maximum(words, _similarity([sounds[i] for i in source], [sounds[j] for j in later]))
    _alternatives(log, source, later, out)
    return out


def value_heard(log: Log, source: Ints, later: Ints) -> Bools:
    """Whether the source was not understood, and a slot value of the later turn was heard in it all the same, (m,)."""
    out = np.zeros(len(source), bool)
    for pair in np.flatnonzero(log.lost[source] & ~log.lost[later]):
        values = [v for v in log.values[later[pair]] if v != _DONT_CARE]
        heard = [log.text[source[pair]], *log.alternatives[source[pair]]]
        out[pair] = any(
            len(h) >= len(v) and fuzz.partial_ratio(v, h, score_cutoff=_HEARD) > 0 for v in values for h in heard
        )
    return out
