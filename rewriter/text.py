"""Text of requests: one normal form, and the distances that guards and features share."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import jellyfish
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

#: For ASCII, where it is twice as fast; other scripts also have combining signs, which ``\w`` leaves out.
_DROP = re.compile(r"[^\w' ]+|_")
_SPACE = re.compile(r"\s+")
_DIGIT = re.compile("[0-9]")
_KEPT = 1 << 12  # texts whose words are kept: guards and features ask for the same ones again and again; up to 73 kB each

NUMBER_WORDS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter "
    "dozen twice double triple first third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth".split()  # second: mostly of time
)
_NEGATED = "do does did is are was were wo ca could would should have has had must need ai".split()
NEGATIONS = frozenset("no not never none nobody neither nor without cannot except unless cancel".split()) | {
    verb + ending for verb in _NEGATED for ending in ("n't", "nt")
}
#: A sign, a decimal mark, an operator or a currency beside a digit: the normal form drops it, and the number is another one.
_WRITTEN = re.compile(
    r"(?<!\S)[-+\u2212\u2013]\s?\d|\d?[.,]\d|\d\s?[-+\u2212\u2013]\s?\d|\d\s?[%*/^=\u00d7\u00f7$\u20ac\u00a3\u00a5]|[$\u20ac\u00a3\u00a5]\s?\d"
)
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u00b4", "'"))


def _without_marks(text: str) -> str:
    """The text with blanks for all but letters, digits, apostrophes and the vowel signs that many scripts write."""
    return "".join(c if c.isalnum() or c == "'" or unicodedata.category(c)[0] == "M" else " " for c in text)


def normalise(text: str) -> str:
    """The text in lower case, letters, digits and inner apostrophes only, single spaces (NFKC).

    >>> normalise("  Play  'Beat-It', please! ")
    'play beat it please'
    """
    # Lower case can undo the normal form (İ), so it is made twice.
    lowered = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower()).translate(_APOSTROPHES)
    words = _SPACE.split((_DROP.sub(" ", lowered) if lowered.isascii() else _without_marks(lowered)).strip())
    return " ".join(w for w in (word.strip("'") for word in words) if w)


@lru_cache(maxsize=_KEPT)
def words_of(normalised: str) -> frozenset[str]:
    """Words of a normalised text, each once."""
    return frozenset(normalised.split())


def written_number(text: str) -> str:
    """Where a text as it was sent holds a number that its normal form would not keep; empty text if it holds none.

    >>> written_number("put the heat to -5"), written_number("what is 10*2"), written_number("at 10:30, please.")
    ('-5', '0*', '')
    """
    found = _WRITTEN.search(unicodedata.normalize("NFKC", text))
    return found.group().strip() if found else ""


@lru_cache(maxsize=_KEPT)
def numbers(normalised: str) -> tuple[str, ...]:
    """Number words and digit strings of a normalised text in their order; of other scripts the numerals alone.

    >>> numbers("from seventy to 60 at 7am"), numbers("七時に起こして")
    (('seventy', '60', '7am'), ('七',))
    """
    words = normalised.split()
    if normalised.isascii() and not _DIGIT.search(normalised) and NUMBER_WORDS.isdisjoint(words):
        return ()
    return tuple(number for word in words for number in _numbers_in(word))


def _numbers_in(word: str) -> list[str]:
    if word.isascii():
        return [word] if word in NUMBER_WORDS or _DIGIT.search(word) else []
    return "".join(c if c.isnumeric() else " " for c in word).split()


@lru_cache(maxsize=_KEPT)
def negations(normalised: str) -> frozenset[str]:
    """Negating words of a normalised text."""
    return words_of(normalised) & NEGATIONS


def similarity(a: str, b: str) -> float:
    """1 - edit distance / longer length, characters, in 0..1."""
    return float(Levenshtein.normalized_similarity(a, b))


def token_similarity(a: str, b: str) -> float:
    """Similarity of the sets of words, in 0..1, whatever their order (RapidFuzz token_set_ratio)."""
    return float(fuzz.token_set_ratio(a, b)) / 100.0


@lru_cache(maxsize=_KEPT)
def sounds_of(normalised: str) -> str:
    """Metaphone key of each word, joined; words without one (other scripts, digits) stand for themselves."""
    return " ".join(jellyfish.metaphone(w) or w for w in normalised.split())


def sound_similarity(a: str, b: str) -> float:
    """Similarity of the Metaphone keys of two normalised texts, spaces ignored, in 0..1."""
    return float(Levenshtein.normalized_similarity(sounds_of(a).replace(" ", ""), sounds_of(b).replace(" ", "")))
