"""A noisy-channel recogniser: each word competes with the words of the vocabulary that sound like it.

A competitor's chance falls with the phonetic distance and rises with its commonness, so some names are misheard the
same way again and again (*silver tied*) while others hardly ever are. All words heard are words of the vocabulary.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from random import Random

from rewriter.simulation import lexicon
from rewriter.simulation.chance import unit
from rewriter.simulation.sounds import distance, outlines, pronounce
from rewriter.simulation.wordings import intents

#: How much a unit of phonetic distance costs, by how clearly the words reach the microphone.
CLEAN, NOISY, CLEAR = 7.4, 3.4, 8.4
#: Confusions that an accent makes easy; most users have the first.
ACCENTS: tuple[frozenset[tuple[str, str]], ...] = (
    frozenset(),
    frozenset({("T", "t"), ("T", "s"), ("v", "w"), ("w", "v"), ("z", "s"), ("d", "t")}),
    frozenset({("i", "I"), ("I", "i"), ("e", "a"), ("a", "e"), ("E", "e"), ("r", "l"), ("l", "r")}),
)
_MAX_ALTERNATIVES = 4
_MAX_DISTANCE = 1.8
_CARRIER, _CLOSED = 3.0, 1.6  # how much the words of fixed phrases, numbers and days are expected in their places
_N_BEST = 5
_AROUND = frozenset("please can you could um hey okay no i said for me now".split())  # politeness and corrections
_GUMBEL = tuple(-math.log(-math.log((i + 0.5) / 8192)) for i in range(8192))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser made of some speech: its best text, its confidence and the n-best list, best first."""

    text: str
    confidence: float
    nbest: tuple[tuple[str, float], ...]


class Recogniser:
    """Hears words of ``vocabulary``; ``seed`` decides how common each is."""

    def __init__(self, seed: int, vocabulary: set[str]) -> None:
        texts = [re.sub(r"\{\w+\}", "", wording.text) for intent in intents().values() for wording in intent.wordings]
        carriers = {word for text in texts for word in text.split()} | _AROUND
        closed = {
            w for part in (lexicon.MINUTES, lexicon.CLOCKS, lexicon.DAYS, lexicon.LEVELS) for v in part for w in v.split()
        }
        self.vocabulary = frozenset(vocabulary | carriers | closed | set(lexicon.EVERYDAY))
        self._common = {w: 3.0 * unit(seed, "common", w) - 1.5 for w in self.vocabulary}
        self._expected = {
            w: c + (_CARRIER if w in carriers else _CLOSED if w in closed else 0.0) for w, c in self._common.items()
        }
        self._by_outline: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self.vocabulary):
            for outline in outlines(pronounce(word)):
                self._by_outline[outline].append(word)
        self._near: dict[tuple[str, int], list[tuple[float, str]]] = {}
        self._options: dict[tuple[str, int, float], tuple[list[str], list[float]]] = {}

    def alternatives(self, word: str, accent: int = 0) -> list[tuple[float, str]]:
        """The nearest other words of the vocabulary as (phonetic distance, word), nearest first."""
        if (word, accent) not in self._near:
            sound = pronounce(word)
            near = {other for outline in outlines(sound) for other in self._by_outline.get(outline, ())} - {word}
            scored = ((distance(sound, pronounce(other), ACCENTS[accent], _MAX_DISTANCE), other) for other in near)
            self._near[word, accent] = sorted((d, other) for d, other in scored if d <= _MAX_DISTANCE)[:_MAX_ALTERNATIVES]
        return self._near[word, accent]

    def options(self, word: str, accent: int, sharpness: float) -> tuple[list[str], list[float]]:
        """Words that may be heard for ``word`` (itself first) and their log weights."""
        key = (word, accent, sharpness)
        if key not in self._options:
            words, logs = [word], [0.0]
            expected = self._expected.get(word, 0.0)
            for d, other in self.alternatives(word, accent):
                words.append(other)
                logs.append(-sharpness * (d + 0.12) + min(2.2, max(-3.0, self._common[other] - expected)))
            self._options[key] = (words, logs)
        return self._options[key]

    def p_heard_right(self, word: str, accent: int = 0, sharpness: float = CLEAN) -> float:
        """The chance that a word is heard as itself."""
        return 1.0 / sum(math.exp(log) for log in self.options(word, accent, sharpness)[1])

    def hear(self, rng: Random, said: str, accent: int, sharpness: float) -> Heard:
        """One hearing of an utterance; each word is drawn by its weight (Gumbel-max, so the n-best order is consistent)."""
        random = rng.random
        best: list[str] = []
        rivals: list[tuple[float, int, str]] = []
        total = certainty = 0.0
        for place, word in enumerate(_reaching(rng, said, sharpness)):
            words, logs = self.options(word, accent, sharpness)
            scored = sorted(
                ((log + _GUMBEL[int(random() * 8192)], other) for log, other in zip(logs, words, strict=True)), reverse=True
            )
            top, chosen = scored[0]
            best.append(chosen)
            rivals += [(top - score, place, other) for score, other in scored[1:3]]
            certainty += math.log(sum(math.exp(log) for log in logs)) - logs[words.index(chosen)]
            total += 1.0
        text = " ".join(best)
        confidence = 0.30 + 0.66 * math.exp(-0.5 * certainty) + 0.16 * (random() - 0.5)
        confidence = min(0.99, max(0.05, confidence))
        return Heard(text, round(confidence, 4), _nbest(best, sorted(rivals), confidence))


def _reaching(rng: Random, said: str, sharpness: float) -> list[str]:
    """The words that reach the recogniser: in noise the first, the last or a short word may be lost."""
    words = said.split()
    if sharpness > NOISY or len(words) < 3 or rng.random() > 0.3:
        return words
    lost = rng.choice((0, len(words) - 1, *(i for i, w in enumerate(words) if len(w) <= 3)))
    return words[:lost] + words[lost + 1 :]


def _nbest(best: list[str], rivals: list[tuple[float, int, str]], confidence: float) -> tuple[tuple[str, float], ...]:
    """The best text, then texts with one word changed, the smallest margin first, and the two smallest together."""
    found = {" ".join(best): confidence}
    changes = [(margin, {place: word}) for margin, place, word in rivals[:4] if margin < 7.0]
    if len(rivals) > 1 and rivals[0][1] != rivals[1][1] and rivals[0][0] + rivals[1][0] < 7.0:
        changes.append((rivals[0][0] + rivals[1][0], {rivals[0][1]: rivals[0][2], rivals[1][1]: rivals[1][2]}))
    for margin, change in sorted(changes, key=lambda c: c[0]):
        text = " ".join(change.get(place, word) for place, word in enumerate(best))
        found.setdefault(text, confidence * math.exp(-0.35 - 0.5 * margin))
    return tuple((text, round(score, 4)) for text, score in list(found.items())[:_N_BEST])
