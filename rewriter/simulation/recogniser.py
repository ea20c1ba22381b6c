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
from typing import NamedTuple

from rewriter.simulation import lexicon
from rewriter.simulation.chance import unit
from rewriter.simulation.sounds import distance, outlines, pronounce
from rewriter.simulation.wordings import intents

#: How much a unit of phonetic distance costs, by how clearly the words reach the microphone.
CLEAN, NOISY, CLEAR = 7.0, 3.4, 7.6
#: Confusions that an accent makes easy; most users have the first.
ACCENTS: tuple[frozenset[tuple[str, str]], ...] = (
    frozenset(),
    frozenset({("T", "t"), ("T", "s"), ("v", "w"), ("w", "v"), ("z", "s"), ("d", "t")}),
    frozenset({("i", "I"), ("I", "i"), ("e", "a"), ("a", "e"), ("E", "e"), ("r", "l"), ("l", "r")}),
)
_MAX_ALTERNATIVES, _MAX_NEAR = 4, 12
_HOPELESS = -8.5  # log weight from which on a competitor is left out
_MAX_DISTANCE = 1.8
_CARRIER, _CLOSED = 5.0, 2.4  # how much the words of fixed phrases, numbers and days are expected in their places
_N_BEST = 5
_AROUND = frozenset("please can you could so hey okay no i said for me now".split())  # politeness and corrections
_IN_NBEST = 0.6  # share of near misses that make it into the n-best list
# Small words come and go without anybody noticing; the NLU does not mind.
_SMALL: dict[str, tuple[tuple[str, float], ...]] = {
    "the": (("", 0.06), ("a", 0.03)),
    "a": (("", 0.06), ("the", 0.04)),
    "my": (("", 0.03), ("the", 0.03)),
    "what's": (("what is", 0.12),),
    "how's": (("how is", 0.15),),
}
_GUMBEL = tuple(-math.log(-math.log((i + 0.5) / 8192)) for i in range(8192))


@dataclass(frozen=True, slots=True)
class Heard:
    """What the recogniser made of some speech: its best text, its confidence and the n-best list, best first."""

    text: str
    confidence: float
    nbest: tuple[tuple[str, float], ...]


class _Options(NamedTuple):
    words: list[str]
    logs: list[float]
    log_sum: float


class Recogniser:
    """Hears words of ``vocabulary``; ``seed`` decides how common each is."""

    def __init__(self, seed: int, vocabulary: set[str]) -> None:
        texts = [re.sub(r"\{\w+\}", "", wording.text) for intent in intents().values() for wording in intent.wordings]
        carriers = {word for text in texts for word in text.split()} | _AROUND
        closed = {
            w for part in (lexicon.MINUTES, lexicon.CLOCKS, lexicon.DAYS, lexicon.LEVELS) for v in part for w in v.split()
        }
        self.vocabulary = frozenset(vocabulary | carriers | closed | set(lexicon.EVERYDAY))
        self._common = {w: 4.4 * unit(seed, "common", w) - 2.2 for w in self.vocabulary}
        self._expected = {
            w: c + (_CARRIER if w in carriers else _CLOSED if w in closed else 0.0) for w, c in self._common.items()
        }
        self._by_outline: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self.vocabulary):
            for outline in outlines(pronounce(word)):
                self._by_outline[outline].append(word)
        self._near: dict[str, list[tuple[float, str]]] = {}
        self._options: dict[tuple[str, int, float], _Options] = {}

    def alternatives(self, word: str, accent: int = 0) -> list[tuple[float, str]]:
        """The nearest other words of the vocabulary as (phonetic distance, word), nearest first."""
        sound = pronounce(word)
        if word not in self._near:
            near = {other for outline in outlines(sound) for other in self._by_outline.get(outline, ())} - {word}
            scored = ((distance(sound, pronounce(other), most=_MAX_DISTANCE), other) for other in near)
            self._near[word] = sorted((d, other) for d, other in scored if d <= _MAX_DISTANCE)[:_MAX_NEAR]
        near_words = self._near[word]
        if accent:
            near_words = sorted((distance(sound, pronounce(other), ACCENTS[accent]), other) for _, other in near_words)
        return near_words[:_MAX_ALTERNATIVES]

    def options(self, word: str, accent: int, sharpness: float) -> _Options:
        """Words that may be heard for ``word`` (itself first), their log weights, and the log of the weights' sum."""
        key = (word, accent, sharpness)
        if key not in self._options:
            words, logs = [word], [0.0]
            expected = self._expected.get(word, 0.0)
            for d, other in self.alternatives(word, accent):
                log = -sharpness * (d + 0.16) + min(2.7, max(-6.5, self._common[other] - expected))
                if log > _HOPELESS:
                    words.append(other)
                    logs.append(log)
            self._options[key] = _Options(words, logs, math.log(sum(math.exp(log) for log in logs)))
        return self._options[key]

    def p_heard_right(self, word: str, accent: int = 0, sharpness: float = CLEAN) -> float:
        """The chance that a word is heard as itself."""
        return math.exp(-self.options(word, accent, sharpness).log_sum)

    def hear(self, rng: Random, said: str, accent: int, sharpness: float) -> Heard:
        """One hearing of an utterance; each word is drawn by its weight (Gumbel-max, so the n-best order is consistent)."""
        random = rng.random
        best: list[str] = []
        rivals: list[tuple[float, int, str]] = []
        certainty = 0.0
        for word in _reaching(rng, said, sharpness):
            if word in _SMALL:
                best += _small(random(), word, sharpness)
                continue
            words, logs, log_sum = self.options(word, accent, sharpness)
            if len(words) == 1:
                best.append(word)
                continue
            scored = sorted(
                ((log + _GUMBEL[int(random() * 8192)], other) for log, other in zip(logs, words, strict=True)), reverse=True
            )
            top, chosen = scored[0]
            rivals += [(top - score, len(best), other) for score, other in scored[1:3] if random() < _IN_NBEST]
            best.append(chosen)
            certainty += log_sum - logs[words.index(chosen)]
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


def _small(chance: float, word: str, sharpness: float) -> list[str]:
    """What is heard of a small word: it, another, or nothing; in noise twice as often something else."""
    for other, share in _SMALL[word]:
        chance -= share * (2.0 if sharpness <= NOISY else 1.0)
        if chance < 0.0:
            return other.split()
    return [word]


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
