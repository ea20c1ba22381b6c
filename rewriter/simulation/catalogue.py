"""What can be asked for, with Zipf popularity, and goals as (intent, slots)."""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import NamedTuple

from rewriter.simulation import lexicon
from rewriter.simulation.chance import shuffled, unit, zipf
from rewriter.simulation.wordings import Intent, intents

#: Slots whose values a user has of his own; nobody else's resolve.
OWN = ("playlist", "contact", "room")
_COMMON = {
    "genre": lexicon.GENRES, "city": lexicon.CITIES, "day": lexicon.DAYS, "level": lexicon.LEVELS,
    "temperature": lexicon.TEMPERATURES, "minutes": lexicon.MINUTES, "clock": lexicon.CLOCKS, "item": lexicon.ITEMS,
    "list": lexicon.LISTS, "place": lexicon.PLACES, "nearby": lexicon.NEARBY, "mountain": lexicon.MOUNTAINS,
    "country": lexicon.COUNTRIES, "word": lexicon.HARD_WORDS, "food": lexicon.FOODS, "team": lexicon.TEAMS,
    "podcast": lexicon.PODCASTS, "room": lexicon.ROOMS,
}  # fmt: skip
# Habits of wording: the first value of these lists is the most asked for, whatever the seed.
_ORDERED = ("minutes", "clock", "room", "list", "day")
_SHIFT = {"song": 2.0, "artist": 2.0, "show": 2.0, "movie": 2.0, "playlist": 2.0, "contact": 2.0}


class Goal(NamedTuple):
    """What a user wants: an intent and the values of its slots."""

    intent: str
    slots: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Readable key, equal for equal goals, e.g. ``music.play_song song=silver tide``."""
        return self.intent + "".join(f" {name}={value}" for name, value in self.slots)


def _titles(seed: int) -> dict[str, list[str]]:
    pairs = [f"{a} {b}" for a in lexicon.TITLE_FIRST for b in lexicon.TITLE_SECOND if a != b]
    joined = [f"{a} in the {b}" for a in lexicon.TITLE_SECOND for b in lexicon.TITLE_SECOND if a != b]
    single = [*lexicon.SONG_WORDS, *lexicon.TITLE_SECOND]
    names = [f"{a} {b}" for a in lexicon.FIRST_NAMES for b in lexicon.LAST_NAMES]
    bands = [f"the {a} {b}" for a in lexicon.BAND_FIRST for b in lexicon.BAND_SECOND]
    shows = [f"{a} {b}" for a in lexicon.SHOW_FIRST for b in lexicon.SHOW_SECOND]
    movies = [
        pattern.format(first=a, second=b)
        for pattern in lexicon.MOVIE_PATTERNS
        for a in lexicon.TITLE_FIRST[:24]
        for b in lexicon.SHOW_SECOND
    ]
    playlists = [f"{a} {b}" for a in lexicon.PLAYLIST_FIRST for b in lexicon.PLAYLIST_SECOND]

    def some(values: list[str], n: int, kind: str) -> list[str]:
        return shuffled(values, seed, kind)[:n]

    songs = some(pairs, 170, "pairs") + some(joined, 30, "joined") + some(single, 40, "single")
    return {
        "song": shuffled(songs, seed, "song"),
        "artist": shuffled(some(names, 40, "names") + some(bands, 50, "bands"), seed, "artist"),
        "show": some(shows, 80, "show"),
        "movie": shuffled(list(dict.fromkeys(movies)), seed, "movie")[:70],
        "playlist": some(playlists, 110, "playlist"),
        "contact": shuffled([*lexicon.KIN, *lexicon.FIRST_NAMES], seed, "contact"),
    }


class Catalogue:
    """Values of every slot in order of popularity, for one seed."""

    def __init__(self, seed: int, extra: tuple[tuple[str, str], ...] = ()) -> None:
        values = _titles(seed)
        for slot, common in _COMMON.items():
            values[slot] = list(common) if slot in _ORDERED else shuffled(common, seed, slot)
        for slot, value in extra:
            values[slot].insert(len(values[slot]) // 2, value)
        self.values: dict[str, list[str]] = values
        self.known: dict[str, frozenset[str]] = {slot: frozenset(v) for slot, v in values.items()}
        self.weights: dict[str, list[float]] = {slot: zipf(len(v), 1.1, _SHIFT.get(slot, 0.7)) for slot, v in values.items()}
        self._intents = list(intents().values())
        # Domains differ a little in popularity between worlds.
        shares = [i.share * (0.7 + 0.6 * unit(seed, "share", i.name)) for i in self._intents]
        self._shares = list(accumulate(shares))
        self._possible = list(accumulate(s * i.possible for s, i in zip(shares, self._intents, strict=True)))

    def intent(self, rng: Random, *, possible_only: bool = False) -> Intent:
        """An intent drawn by its share."""
        return rng.choices(self._intents, cum_weights=self._possible if possible_only else self._shares)[0]

    def value(self, rng: Random, slot: str) -> str:
        """A value of a slot drawn by popularity."""
        return rng.choices(self.values[slot], cum_weights=self.weights[slot])[0]

    def goal(self, rng: Random, intent: Intent, own: dict[str, tuple[str, ...]]) -> Goal:
        """A goal of an intent; slots that users own take a value of this user, the first most often."""
        slots = []
        for slot in intent.slots:
            if slot in own:
                place = min(int(rng.random() ** 1.6 * len(own[slot])), len(own[slot]) - 1)
                slots.append((slot, own[slot][place]))
            else:
                slots.append((slot, self.value(rng, slot)))
        return Goal(intent.name, tuple(slots))

    def vocabulary(self) -> set[str]:
        """Every word that occurs in a value."""
        return {word for values in self.values.values() for value in values for word in value.split()}
