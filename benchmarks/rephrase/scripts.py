"""A log in another script: each word written by its sounds, so that what sounds alike still looks alike."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

from rewriter.simulation.sounds import pronounce

_WORD = re.compile(r"[a-zA-Z']+")
_VOWEL = {
    **dict.fromkeys("aAu", "a"),
    **dict.fromkeys("iIYy8", "i"),
    **dict.fromkeys("U6w", "u"),
    **dict.fromkeys("eER", "e"),
}
_VOWEL |= dict.fromkeys("oOQ", "o")
_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "g": "ガギグゲゴ", "s": "サシスセソ", "z": "ザジズゼゾ", "t": "タチツテト",
    "d": "ダヂヅデド", "n": "ナニヌネノ", "h": "ハヒフヘホ", "b": "バビブベボ", "p": "パピプペポ", "m": "マミムメモ",
    "r": "ラリルレロ",
}  # fmt: skip
_ROW_OF = {"T": "s", "S": "s", "C": "t", "j": "z", "Z": "z", "f": "h", "v": "b", "N": "n", "l": "r"}
_LETTERS = dict(zip("kgNCjtdTnpfbmyrlvSsZzhw", "कगङचजटडथनपफबमयरलवशसझजहव", strict=False))
_SIGNS = {"a": "", "i": "ि", "u": "ु", "e": "े", "o": "ो"}
_ALONE = {"a": "अ", "i": "इ", "u": "उ", "e": "ए", "o": "ओ"}


def kana(word: str) -> str:
    """A word by its sounds in katakana: a consonant takes the vowel after it, or u.

    >>> kana("music")
    'マシク'
    """
    out, sounds = "", pronounce(word.lower())
    at = 0
    while at < len(sounds):
        consonant = "" if sounds[at] in _VOWEL else sounds[at]
        at += bool(consonant)
        vowel = _VOWEL.get(sounds[at], "u") if at < len(sounds) and sounds[at] in _VOWEL else "u"
        at += at < len(sounds) and sounds[at] in _VOWEL
        out += _ROWS[_ROW_OF.get(consonant, consonant)]["aiueo".index(vowel)]
    return out


def devanagari(word: str) -> str:
    """A word by its sounds in Devanagari, vowels as signs on the consonant before them."""
    out, carries = "", False
    for sound in pronounce(word.lower()):
        vowel = _VOWEL.get(sound)
        if vowel is None:
            out, carries = out + _LETTERS[sound], True
        else:
            out, carries = out + (_SIGNS if carries else _ALONE)[vowel], False
    return out


def _rewritten(text: str, word: Callable[[str], str], gap: str) -> str:
    return gap.join(_WORD.sub(lambda m: word(m[0]) or m[0], part) for part in text.split())


def in_script(turns: pa.Table, locale: str, word: Callable[[str], str], gap: str) -> pa.Table:
    """The same log written in another script: requests, alternatives, slot values and answers."""
    rows = turns.to_pylist()
    known: dict[str, str] = {}

    def written(text: str | None) -> str | None:
        if text is not None and text not in known:
            known[text] = _rewritten(text, word, gap)
        return known[text] if text is not None else None

    for row in rows:
        row["locale"] = locale
        row["utterance"], row["response"] = written(row["utterance"]), written(row["response"])
        row["slots"] = [(name, written(value)) for name, value in row["slots"] or ()]
        row["asr_nbest"] = [{**a, "text": written(a["text"])} for a in row["asr_nbest"] or ()]
    return pa.Table.from_pylist(rows, schema=turns.schema)
