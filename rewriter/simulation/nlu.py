"""An understanding that succeeds or fails by rule: known wordings, known names, and guesses for the rest."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from rewriter.simulation.catalogue import OWN, Catalogue, Goal
from rewriter.simulation.chance import unit
from rewriter.simulation.wordings import Intent, fill, intents

_OPENERS = ("please ", "can you ", "could you ", "i said ")
_CLOSERS = (" please", " now", " for me")
# Slots that take any words: whatever was heard is done.
_OPEN = ("item", "word", "food")
# Slots looked up by a search that takes the most popular title sharing a long word.
_SEARCHED = ("song", "artist", "show", "movie", "podcast")
# What a request that matches no known wording is taken for, by the first of these words in it.
_KEYWORDS = {
    "weather": Goal("weather.today"), "lights": Goal("lights.status"), "bright": Goal("lights.status"),
    "timer": Goal("timers.left"), "minutes": Goal("timers.left"), "alarm": Goal("alarms.list"),
    "list": Goal("lists.names"), "play": Goal("music.resume"), "music": Goal("music.resume"), "song": Goal("music.resume"),
    "some": Goal("music.resume"), "watch": Goal("video.browse"), "show": Goal("video.browse"), "film": Goal("video.browse"),
    "traffic": Goal("navigation.where_am_i"), "road": Goal("navigation.where_am_i"), "degrees": Goal("climate.status"),
    "time": Goal("general.time"),
}  # fmt: skip
_WEB = Goal("general.web_search")
_SORRY = ("Sorry, I did not get that.", "I am not sure how to help with that.", "Hmm, I do not know that one.")
_SMALL_WORDS = frozenset({"the", "a", "an", "my"})
# Intents that may rightly find nothing, and how often: no other wording would change that.
_MAY_FIND_NOTHING = {"general.score": 0.2, "navigation.nearby": 0.15}
_NOT_TEXT = re.compile(r"[^a-z0-9']+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood of a text: a goal or none, how sure, the answer and its status."""

    goal: Goal | None
    confidence: float
    status: str
    response: str
    done: bool = False  # the goal was carried out as understood, or truly has no result

    @property
    def interpretation(self) -> tuple[str | None, str | None, tuple[tuple[str, str], ...]]:
        """Domain, intent and slots; nothing where nothing was understood."""
        if self.goal is None:
            return None, None, ()
        domain, _, intent = self.goal.intent.partition(".")
        return domain, intent, self.goal.slots


_Slots = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """Readings of a text by what of his own a user needs for each, and the reading for everybody else."""

    options: tuple[tuple[_Slots, Reading], ...]
    otherwise: Reading


@dataclass(frozen=True)
class _Pattern:
    intent: Intent
    regex: re.Pattern[str]
    n_words: int


def clean(text: str) -> str:
    """A text as the NLU reads it: lower case, single spaces, without small words and known politeness.

    >>> clean("Please turn on the Kitchen lights"), clean("what is the news")
    ('turn on kitchen lights', "what's news")
    """
    plain = _NOT_TEXT.sub(" ", text.lower().replace("’", "'")).strip()
    return _bare(_strip(plain.replace("what is ", "what's ").replace("how's ", "how is ")))


def _bare(text: str) -> str:
    return " ".join(word for word in text.split() if word not in _SMALL_WORDS)


def _patterns() -> dict[str, list[_Pattern]]:
    """Known wordings by their first word (`""` where that is a slot), the most specific first."""
    found: dict[str, list[_Pattern]] = defaultdict(list)
    for intent in intents().values():
        for wording in intent.known:
            words = _bare(wording.text.replace("how's ", "how is ").replace("what is ", "what's ")).split()
            regex = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", " ".join(words)))
            first = "" if words[0].startswith("{") else words[0]
            found[first].append(_Pattern(intent, regex, len(words)))
    return {first: sorted(patterns, key=lambda p: -p.n_words) for first, patterns in found.items()}


class Nlu:
    """Reads texts against the catalogue; ``unclear`` texts are known to have several meanings and are refused."""

    def __init__(self, catalogue: Catalogue, unclear: frozenset[str] = frozenset()) -> None:
        self._catalogue = catalogue
        self._by_first = _patterns()
        self._unclear = frozenset(clean(text) for text in unclear)
        self._names = {slot: {_bare(value): value for value in values} for slot, values in catalogue.values.items()}
        self._parsed: dict[str, _Parsed] = {}
        self._titles = {slot: self._index(slot) for slot in _SEARCHED}

    def _index(self, slot: str) -> dict[str, str]:
        index: dict[str, str] = {}
        for title in self._catalogue.values[slot]:
            for word in title.split():
                if len(word) > 3:
                    index.setdefault(word, title)
        return index

    def understand(self, text: str, own: dict[str, tuple[str, ...]]) -> Reading:
        """The reading of a heard text for a user with these things of his own."""
        parsed = self._parsed.get(text)
        if parsed is None:
            parsed = self._parsed[text] = self._parse(clean(text))
        for needed, reading in parsed.options:
            if all(value in own.get(slot, ()) for slot, value in needed):
                return reading
        return parsed.otherwise

    def _parse(self, core: str) -> _Parsed:
        if core in self._unclear:
            return _Parsed((), Reading(None, 0.45, "no_result", "There are several of those. Which one do you mean?"))
        matches = self._matches(core)
        options = tuple(
            (tuple((s, v) for s, v in slots if s in OWN), _resolved(core, intent, slots))
            for intent, slots in matches
            if all(s in OWN or v in self._catalogue.known[s] for s, v in slots)
        )
        return _Parsed(options, self._unresolved(core, *matches[0]) if matches else _guess(core))

    def _matches(self, core: str) -> list[tuple[Intent, _Slots]]:
        first = core.split(" ", 1)[0]
        candidates = [*self._by_first.get(first, ()), *self._by_first[""]]
        found = ((pattern, pattern.regex.fullmatch(core)) for pattern in candidates)
        return [
            (p.intent, tuple((s, self._names[s].get(m[s], m[s])) for s in p.intent.slots if s in m.re.groupindex))
            for p, m in found
            if m
        ]

    def _unresolved(self, core: str, intent: Intent, slots: tuple[tuple[str, str], ...]) -> Reading:
        """The wording is known and a name in it is not."""
        open_slots = all(s in _OPEN or v in self._catalogue.known[s] for s, v in slots)
        if open_slots:
            return _resolved(core, intent, slots)
        slot, value = next(((s, v) for s, v in slots if s not in OWN and v not in self._catalogue.known[s]), slots[-1])
        sure = 0.45 + 0.35 * unit("unknown", core)
        if slot in _SEARCHED and unit("search", value) < 0.5:
            title = next((t for w in value.split() if (t := self._titles[slot].get(w))), None)
            if title is not None:
                goal = Goal(intent.name, ((slot, title),))
                return Reading(goal, sure, "ok", fill(intent.answer, goal.slots), done=True)
        if slot == "city" and unit("city", value) < 0.5:
            return Reading(Goal("weather.today"), sure - 0.1, "ok", intents()["weather.today"].answer, done=True)
        if slot in _SEARCHED or slot in OWN or slot in ("place", "city", "nearby"):
            return Reading(Goal(intent.name, slots), sure, "no_result", f"I could not find {value}.")
        return Reading(None, 0.5 * sure, "fallback", _sorry(core))


def _strip(text: str) -> str:
    """The text without the politeness that the NLU knows."""
    while opener := next((o for o in _OPENERS if text.startswith(o)), ""):
        text = text[len(opener) :]
    while closer := next((c for c in _CLOSERS if text.endswith(c)), ""):
        text = text[: -len(closer)]
    return text


def _resolved(core: str, intent: Intent, slots: tuple[tuple[str, str], ...]) -> Reading:
    goal = Goal(intent.name, slots)
    sure = 0.78 + 0.2 * unit("known", core)
    if not intent.possible:
        return Reading(goal, sure, "unsupported", intent.answer)
    if unit("nothing", goal.id) < _MAY_FIND_NOTHING.get(intent.name, 0.0):
        return Reading(goal, sure, "no_result", "I found nothing on that today.", done=True)
    return Reading(goal, sure, "ok", fill(intent.answer, slots), done=True)


def _guess(core: str) -> Reading:
    """No known wording: by a word of it, or not at all."""
    goal = next((g for word, g in _KEYWORDS.items() if word in core.split()), None)
    if goal is not None and unit("guess", core) < 0.6:
        known = intents().get(goal.intent)
        answer = known.answer if known else "Here is what I found."
        return Reading(goal, 0.3 + 0.4 * unit("sure", core), "ok", answer, done=True)
    if unit("search", core) < 0.35:
        return Reading(_WEB, 0.2 + 0.3 * unit("sure", core), "ok", "Here is something from the web.", done=True)
    return Reading(None, 0.08 + 0.25 * unit("sure", core), "fallback", _sorry(core))


def _sorry(core: str) -> str:
    return _SORRY[int(unit("sorry", core) * len(_SORRY))]
