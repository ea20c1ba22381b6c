"""Distinct requests of a large catalogue: the simulator's wordings, filled with every title and name its words can form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import NamedTuple

from rewriter.simulation import lexicon
from rewriter.simulation.catalogue import Catalogue
from rewriter.simulation.chance import shuffled
from rewriter.simulation.wordings import fill, intents

#: What some of the requests of an intent say besides.
_MORE = {
    "music.play_song": " by {artist}",
    "music.play_artist": " in the {room}",
    "video.play_show": " in the {room}",
    "video.play_movie": " in the {room}",
    "weather.city": " {day}",
    "alarms.set": " {day}",
    "timers.set": " for {food}",
    "navigation.route": " in {city}",
    "navigation.nearby": " in {city}",
}
_WITH_MORE = 0.6
#: Never rewritten, so they say nothing of the full path.
_PROTECTED = ("calls.", "lists.remove", "services.")
_SLOT = re.compile(r"\{(\w+)\}")


class Said(NamedTuple):
    """One normalised request and what NLU makes of it."""

    utterance: str
    intent: str
    slots: tuple[tuple[str, str], ...]


def slot_values(seed: int) -> dict[str, list[str]]:
    """Values of every slot, in an order that the seed decides: the simulator's, and all titles and names of its words."""
    first, second = lexicon.TITLE_FIRST, lexicon.TITLE_SECOND
    songs = [f"{a} {b}" for a in first for b in second] + [f"{a} in the {b}" for a in second for b in second]
    names = [f"{a} {b}" for a in lexicon.FIRST_NAMES for b in lexicon.LAST_NAMES]
    bands = [f"the {a} {b}" for a in lexicon.BAND_FIRST for b in lexicon.BAND_SECOND]
    shows = [f"{a} {b}" for a in (*lexicon.SHOW_FIRST, *first) for b in lexicon.SHOW_SECOND]
    movies = [p.format(first=a, second=b) for p in lexicon.MOVIE_PATTERNS for a in first for b in lexicon.SHOW_SECOND]
    more = {"song": songs, "artist": names + bands, "show": shows, "movie": movies}
    return Catalogue(seed).values | {slot: shuffled(list(dict.fromkeys(v)), seed, slot) for slot, v in more.items()}


class _Wording(NamedTuple):
    intent: str
    text: str
    slots: tuple[str, ...]
    weight: float


def _wordings() -> Iterator[_Wording]:
    for intent in intents().values():
        if intent.name.startswith(_PROTECTED):
            continue
        total, more = sum(w.weight for w in intent.wordings), _MORE.get(intent.name, "")
        for wording in intent.wordings:
            weight = intent.share * wording.weight / total
            for text, share in ((wording.text, 1 - _WITH_MORE), (wording.text + more, _WITH_MORE)):
                yield _Wording(intent.name, text, tuple(_SLOT.findall(text)), weight * share)


def _drawn(seed: int) -> Iterator[Said]:
    """Requests without end, some of them again and again; early values of a slot come more often."""
    rng, values, wordings = Random(seed), slot_values(seed), list(_wordings())
    weights = list(accumulate(w.weight for w in wordings))
    while True:
        wording = rng.choices(wordings, cum_weights=weights)[0]
        slots = tuple((s, values[s][int(len(values[s]) * rng.random() ** 1.5)]) for s in wording.slots)
        yield Said(fill(wording.text, slots), wording.intent, slots)


def requests(n: int, seed: int) -> list[Said]:
    """``n`` distinct requests, the often drawn ones first; the first of them are the same for any greater ``n``."""
    found: dict[str, Said] = {}
    for said in _drawn(seed):
        found.setdefault(said.utterance, said)
        if len(found) == n:
            break
    return list(found.values())
