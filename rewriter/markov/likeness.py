"""How likely the next turn says the same again, where no model was asked: closeness in wording or sound, and haste."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from rewriter.markov.counts import Floats, Ints
from rewriter.text import sounds_of

#: Log-odds of a rephrase: of nothing in common at once, what full closeness adds, and the seconds that take one off.
BASE, CLOSENESS, HASTE_S = 0.4, 3.0, 8.0


def likeness(source: Ints, target: Ints, texts: Sequence[str], gap_s: Floats) -> Floats:
    """Chance that each turn of a pair says the same as the other, given that the first one failed, (k,).

    Parameters
    ----------
    source, target : (k,) int
        Places in ``texts``, normal forms.
    gap_s : (k,) float
        Seconds between the two.

    Notes
    -----
    Closeness is the better of edit similarity and edit similarity of the Metaphone keys. The three constants were set by
    hand on a simulated log; results hardly change with them.

    >>> likeness(np.array([0]), np.array([1]), ["play feet it", "play beat it"], np.array([4.0])).round(2).tolist()
    [0.92]
    """
    if not len(source):
        return np.zeros(0)
    pair, place = np.unique(source * len(texts) + target, return_inverse=True)
    one, other = ([texts[k] for k in numbers.tolist()] for numbers in (pair // len(texts), pair % len(texts)))
    words = cpdist(one, other, scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    heard = {text: sounds_of(text).replace(" ", "") for text in {*one, *other}}
    sounds = cpdist([heard[t] for t in one], [heard[t] for t in other], scorer=Levenshtein.normalized_similarity)
    close = np.maximum(words, sounds)[place]
    chance: Floats = 1.0 / (1.0 + np.exp(gap_s / HASTE_S - BASE - CLOSENESS * close))
    return chance
