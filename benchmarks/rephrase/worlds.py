"""Simulated sets with planted truth: four domains in English, and worlds in Devanagari and in kana without spaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.rephrase.sets import Gold, Log, with_rule_defects
from rewriter.simulation.chance import unit
from rewriter.simulation.simulate import simulate
from rewriter.simulation.sounds import pronounce
from rewriter.simulation.tables import truth_table, turns_table
from rewriter.simulation.world import World

#: Set -> domains of the goals that its sources ask for.
DOMAINS = {
    "en media": ("music", "video"),
    "en home": ("lights", "climate", "timers", "alarms"),
    "en errands": ("lists", "calls", "navigation", "services"),
    "en questions": ("weather", "general"),
}
_WINDOW = 3
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
    'ミュジク'
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


def _prefixed(table: pa.Table, prefix: str, names: Iterable[str]) -> pa.Table:
    """The table with ids that no other world has."""
    for name in names:
        ids = pa.array([f"{prefix}:{value}" for value in table[name].to_pylist()])
        table = table.set_column(table.column_names.index(name), name, ids)
    return table


def _gold(turns: pa.Table, truth: pa.Table) -> dict[str, Gold]:
    """Truth by turn: of the next three turns of the session, those of the same goal say a failed turn again."""
    goal = dict(zip(truth["turn_id"].to_pylist(), truth["goal"].to_pylist(), strict=True))
    failed = dict(zip(truth["turn_id"].to_pylist(), truth["defective"].to_pylist(), strict=True))
    keys = ["session_id", "at", "turn_id"]
    order = turns.select(keys).sort_by([(name, "ascending") for name in keys])
    session, ids = order["session_id"].to_pylist(), order["turn_id"].to_pylist()
    gold = {}
    for place, turn in enumerate(ids):
        window = range(place + 1, min(place + 1 + _WINDOW, len(ids)))
        again = [ids[k] for k in window if session[k] == session[place] and goal[ids[k]] == goal[turn]]
        gold[turn] = Gold(failed[turn], goal[turn], frozenset(again) if failed[turn] else frozenset())
    return gold


def _in_test(turns: pa.Table) -> pa.Array:
    """Which turns are of the half of the users that is scored."""
    return pa.array([unit("half", user) < 0.5 for user in turns["user_id"].to_pylist()])


def _named(gold: dict[str, Gold], domains: Iterable[str] | None) -> frozenset[str]:
    return frozenset(t for t, truth in gold.items() if domains is None or truth.meaning.split(".")[0] in domains)


def simulated(users: int, days: int, seed: int, max_gap_s: float) -> Log:
    """One log of three worlds: English, scored by domain, and two in other scripts; half of the users are held out."""
    tables: list[pa.Table] = []
    gold: dict[str, Gold] = {}
    sets: dict[str, frozenset[str]] = {}
    for place, (name, word, gap) in enumerate((("en-US", None, ""), ("hi-IN", devanagari, " "), ("ja-JP", kana, ""))):
        world = simulate(World(seed + place), users, range(days))
        turns = _prefixed(turns_table(world), name, ("turn_id", "user_id", "session_id"))
        of_world = _gold(turns, _prefixed(truth_table(world), name, ("turn_id",)))
        sets |= {n: _named(of_world, d) for n, d in DOMAINS.items()} if word is None else {name: _named(of_world, None)}
        tables.append(turns if word is None else in_script(turns, name, word, gap))
        gold |= of_world
    log = pa.concat_tables(tables)
    test = log.filter(_in_test(log))
    train = log.filter(pc.invert(_in_test(log)))
    return Log("simulated", max_gap_s, with_rule_defects(train), with_rule_defects(test), gold, sets)
