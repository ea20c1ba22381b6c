"""Guards: what is never rewritten, and what a rewrite must keep, whatever a score says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial

from rewriter.decision.candidate import Candidate
from rewriter.decision.request import Request
from rewriter.settings import Decide
from rewriter.text import negations, normalise, numbers, sound_similarity, words_of

#: Pairs of words that turn a request into its opposite.
CONTRARIES = (
    ("on", "off"),
    ("up", "down"),
    ("start", "stop"),
    ("open", "close"),
    ("enable", "disable"),
    ("mute", "unmute"),
    ("next", "previous"),
    ("louder", "quieter"),
    ("more", "less"),
    ("add", "remove"),
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_LONGEST_ENTITY = 5  # words
_KEPT = 4096  # intents, requests and slot values of which what was found is kept


def intent_words(intent: str) -> tuple[str, ...]:
    """Words of an intent's name in lower case.

    >>> intent_words("SendMessage+list_remove")
    ('send', 'message', 'list', 'remove')
    """
    return tuple(word.lower() for word in _CAMEL.split(intent) if word)


def entity_mentions(text: str, values: Mapping[str, frozenset[str]]) -> dict[str, set[str]]:
    """Known slot values inside a normalised text: slot name -> values.

    >>> entity_mentions("weather in new york", {"new york": frozenset({"city"})})
    {'city': {'new york'}}
    """
    words, found = text.split(), dict[str, set[str]]()
    for start in range(len(words)):
        for end in range(start + 1, min(start + _LONGEST_ENTITY, len(words)) + 1):
            value = " ".join(words[start:end])
            for slot in values.get(value, ()):
                found.setdefault(slot, set()).add(value)
    return found


def _protected_word(protected: Sequence[str], intent: str) -> str:
    words = intent_words(intent)
    return next((p for p in protected if any(w.startswith(p) for w in words)), "")


class Guards:
    """Refusals in plain words; an empty string means no objection.

    Parameters
    ----------
    decide
        Protected intents and words, and how alike two entities or numbers must sound.
    entities
        Known slot values: normalised value -> names of the slots that held it.
    sources
        ``(locale, source)`` of every active pair: no rewrite may itself be rewritten.
    """

    def __init__(
        self,
        decide: Decide,
        entities: Mapping[str, frozenset[str]] | None = None,
        sources: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._decide = decide
        self._intents = tuple(w.lower() for w in decide.protected_intents)
        self._protection = lru_cache(_KEPT)(partial(_protected_word, self._intents))
        self._words = frozenset(w.lower() for w in decide.protected_words)
        known = entities or {}
        self._value = lru_cache(_KEPT)(normalise)
        self._mentions = lru_cache(_KEPT)(lambda text: entity_mentions(text, known))
        self._sources = frozenset(sources)

    def protects_intent(self, intent: str | None) -> str:
        """The protected word that a word of the intent begins with, or an empty string."""
        return self._protection(intent) if intent else ""

    def protects_text(self, text: str) -> str:
        """The protected intent's word that a normalised text holds, for texts whose intent nobody knows."""
        words = words_of(text)
        return next((p for p in self._intents if p in words), "")

    def leave_alone(self, request: Request, known_intent: str | None = None) -> str:
        """Why the request is left alone whatever the candidates are.

        ``known_intent`` is the intent under which the indexes know this wording, for a request without interpretation.
        """
        if not request.key:
            return "the request holds no word"
        if all(w in self._words for w in request.key.split()):
            return f"protected words: '{request.key}' is never rewritten"
        for intent in (request.intent, known_intent):
            if word := self.protects_intent(intent):
                return f"protected intent '{intent}' ('{word}') is never rewritten"
        unknown = request.intent is None and known_intent is None
        if unknown and (word := self.protects_text(request.key)):
            return f"protected: a request of unknown intent that says '{word}' is never rewritten"
        return ""

    def refuse(self, request: Request, candidate: Candidate) -> str:
        """Why this request must not become this candidate."""
        source, target = request.key, candidate.utterance
        if source == target:
            return "the rewrite equals the request"
        if (request.locale, target) in self._sources:
            return "the rewrite is itself rewritten"
        checks = (self._intent_of, self._words_of, self._heard_of, self._numbers_of, self._meaning_of, self._entities_of)
        return next((fault for check in checks if (fault := check(source, candidate))), "")

    def _intent_of(self, _: str, candidate: Candidate) -> str:
        if word := self.protects_intent(candidate.intent):
            return f"protected intent '{candidate.intent}' ('{word}') is never produced"
        if candidate.intent is None and (word := self.protects_text(candidate.utterance)):
            return f"protected: a rewrite of unknown intent that says '{word}'"
        return ""

    def _words_of(self, source: str, candidate: Candidate) -> str:
        changed = self._words & (words_of(source) ^ words_of(candidate.utterance))
        return f"protected word '{min(changed)}' would be added or dropped" if changed else ""

    def _heard_of(self, source: str, candidate: Candidate) -> str:
        """A retrieved rewrite may mend what was heard, not finish it: users themselves vouch for mined pairs and n-best."""
        vouched = candidate.pair is not None or candidate.rank is not None
        heard = len(source) / max(len(candidate.utterance), 1)
        return "" if vouched or heard >= self._decide.min_heard else "most of the rewrite was not heard"

    def _numbers_of(self, source: str, candidate: Candidate) -> str:
        before, after = numbers(source), numbers(candidate.utterance)
        if before == after:
            return ""
        if lost := before - after:
            return f"the number '{min(lost)}' would be lost"
        words = Counter(source.split()) - Counter(candidate.utterance.split())
        alike = self._decide.min_number_sound
        for number in sorted(after - before):
            if not any(sound_similarity(number, word) >= alike for word in words):
                return f"the number '{number}' would be invented"
        return ""

    def _meaning_of(self, source: str, candidate: Candidate) -> str:
        if changed := negations(source) ^ negations(candidate.utterance):
            return f"the negation '{min(changed)}' would be added or dropped"
        before, after = words_of(source), words_of(candidate.utterance)
        for a, b in CONTRARIES:
            if (a in before - after and b in after - before) or (b in before - after and a in after - before):
                return f"'{a}' and '{b}' would be swapped"
        return ""

    def _entities_of(self, source: str, candidate: Candidate) -> str:
        mentions = self._mentions(source) if candidate.slots else {}
        for slot, raw in sorted(candidate.slots.items()):
            # A song called "song" is rarely what "play the song ..." asks for.
            said, value = mentions.get(slot, set()) - {slot}, self._value(raw)
            if said and value not in said and all(sound_similarity(s, value) < self._decide.min_entity_sound for s in said):
                return f"the {slot} '{min(said)}' would become '{value}'"
        return ""
