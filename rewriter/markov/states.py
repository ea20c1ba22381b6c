"""What the states of a turn are, and the number by which every table knows each.

A turn's *wording* is the normal form of its words. Its *reading* is NLU's interpretation of it (domain, intent and slots as
one text), where it has one: the state of being understood so. Readings hold signs that no normal form has, so the two never
meet.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from rewriter.markov.counts import Ints
from rewriter.text import normalise

_normalise = lru_cache(maxsize=1 << 18)(normalise)


def state_number(locale: str, key: str) -> int:
    """The number of a state, the same in every log: 64 bits of a hash of its locale and key.

    Two of n states share a number with a chance of n^2 / 2^65: 3 in a million for ten million states.

    >>> state_number("en-US", "play beat it") == state_number("en-GB", "play beat it")
    False
    """
    digest = hashlib.blake2b(f"{locale}\n{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def normal_forms(texts: pa.Array | pa.ChunkedArray) -> tuple[Ints, list[str]]:
    """The normal form of each text as its place in a list of distinct ones; null is the empty text, place by place (n,)."""
    known = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    encoded = known.dictionary_encode()
    place: dict[str, int] = {"": 0}
    forms = [place.setdefault(_normalise(text), len(place)) for text in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.fill_null(len(forms)), np.int64)
    return np.array([*forms, 0], np.int64)[codes], list(place)


def wordings(turns: pa.Table) -> tuple[Ints, list[str]]:
    """The wording of each turn, before its locale: the normal form of its words; empty where there are none."""
    return normal_forms(turns.column("utterance"))


def readings(turns: pa.Table) -> tuple[Ints, list[str]]:
    """The reading of each turn, before its locale; empty where NLU understood nothing."""
    encoded = turns.column("reading").combine_chunks().dictionary_encode()
    texts = ["", *encoded.dictionary.to_pylist()]
    return np.asarray(encoded.indices.fill_null(-1), np.int64) + 1, texts


@dataclass(frozen=True)
class States:
    """The m distinct states of some turns.

    Attributes
    ----------
    number : (m,) int
        `state_number` of each.
    locale, key : (m,) text
    """

    number: Ints
    locale: list[str]
    key: list[str]


def distinct_states(locale: pa.Array, keys: list[tuple[Ints, list[str]]]) -> tuple[States, list[Ints]]:
    """States of one or more columns of keys over the same n turns, and each column's place in them, (n,) each."""
    known = locale.dictionary_encode()
    names, where = known.dictionary.to_pylist(), np.asarray(known.indices, np.int64)
    place: dict[str, int] = {}
    columns = [np.array([place.setdefault(key, len(place)) for key in texts], np.int64)[codes] for codes, texts in keys]
    texts, n = list(place), len(where)
    found, inverse = np.unique(np.concatenate([where * len(texts) + column for column in columns]), return_inverse=True)
    of_locale = [names[k] for k in (found // max(len(texts), 1)).tolist()]
    of_key = [texts[k] for k in (found % max(len(texts), 1)).tolist()]
    number = np.array([state_number(a, b) for a, b in zip(of_locale, of_key, strict=True)], np.int64)
    return States(number, of_locale, of_key), [inverse[k * n : (k + 1) * n] for k in range(len(keys))]
