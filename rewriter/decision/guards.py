"""Guards: what is never rewritten, and what a rewrite must keep, whatever a score says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial

from rewriter.decision import opposites
from rewriter.decision.candidate import Candidate
from rewriter.decision.request import Request
from rewriter.settings import Decide
from rewriter.text import negations, normalise, numbers, sound_similarity, sounds_of, words_of, written_number

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")
_LONGEST_ENTITY = 5  # words
_SHORT_SOUND = 2  # sounds of a Metaphone key
_SOUNDS = {"two": "T"}  # where Metaphone hears a silent letter
_KEPT = 4096  # intents, requests and slot values of which what was found is kept


def intent_words(intent: str) -> tuple[str, ...]:
    """Words of an intent's name in lower case.

    >>> intent_words("SendMessage+list_remove"), intent_words("SMSSend")
    (('send', 'message', 'list', 'remove'), ('sms', 'send'))
    """
    return tuple(word.lower() for word in _CAMEL.split(intent) if word)


def entity_mentions(text: str, values: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """Known slot values inside a normalised text: slot name -> values in their order, none of them inside a longer one.

    >>> cities = {"new york": frozenset({"city"}), "york": frozenset({"city"}), "bath": frozenset({"city"})}
    >>> entity_mentions("from bath to new york", cities)
    {'city': ('bath', 'new york')}
    """
    words, found, reached = text.split(), dict[str, tuple[str, ...]](), 0
    for start in range(len(words)):
        for end in range(min(start + _LONGEST_ENTITY, len(words)), start, -1):
            slots = values.get(value := " ".join(words[start:end]))
            if slots and end > reached:
                found |= {slot: (*found.get(slot, ()), value) for slot in sorted(slots)}
                reached = end
                break
    return found


def _places_change(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether the values that both hold come in another order."""
    kept = set(before) & set(after)
    return [v for v in before if v in kept] != [v for v in after if v in kept]


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

    def leave_alone(self, request: Request, *known_intents: str | None) -> str:
        """Why the request is left alone whatever the candidates are.

        ``known_intents`` are those under which the indexes know this wording, for a request without interpretation.
        """
        if not request.key:
            return "the request holds no word"
        if all(w in self._words for w in request.key.split()):
            return f"protected words: '{request.key}' is never rewritten"
        if written := written_number(request.utterance):
            return f"'{written}': words alone do not keep this number"
        intents = [intent for intent in (request.intent, *known_intents) if intent is not None]
        for intent in intents:
            if word := self.protects_intent(intent):
                return f"protected intent '{intent}' ('{word}') is never rewritten"
        if not intents and (word := self.protects_text(request.key)):
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
        for intent in candidate.intents:
            if word := self.protects_intent(intent):
                return f"protected intent '{intent}' ('{word}') is never produced"
        if not candidate.intents and (word := self.protects_text(candidate.utterance)):
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
        if lost := Counter(before) - Counter(after):
            return f"the number '{min(lost)}' would be lost"
        rest = iter(after)
        if not all(number in rest for number in before):
            return f"the numbers '{' '.join(before)}' would change places"
        words = Counter(source.split()) - Counter(candidate.utterance.split())
        for number in sorted(Counter(after) - Counter(before)):
            if not any(self._may_be(number, word) for word in words):
                return f"the number '{number}' would be invented"
        return ""

    def _may_be(self, number: str, word: str) -> bool:
        """Whether a word may be a number misheard; of short sounds only the very same, since half of all words are near."""
        said, heard = _SOUNDS.get(number) or sounds_of(number), sounds_of(word)
        short = min(len(said), len(heard)) <= _SHORT_SOUND
        return said == heard if short else sound_similarity(number, word) >= self._decide.min_number_sound

    def _meaning_of(self, source: str, candidate: Candidate) -> str:
        if changed := negations(source) ^ negations(candidate.utterance):
            return f"the negation '{min(changed)}' would be added or dropped"
        return opposites.changed(source, candidate.utterance)

    def _entities_of(self, source: str, candidate: Candidate) -> str:
        mentions = self._mentions(source)
        for slot, values in mentions.items():
            if len(values) > 1 and _places_change(values, self._mentions(candidate.utterance).get(slot, ())):
                return f"the {slot} values {', '.join(map(repr, values))} would change places"
        for slot, raw in sorted(candidate.slots.items()):
            # A song called "song" is rarely what "play the song ..." asks for.
            said, value = set(mentions.get(slot, ())) - {slot}, self._value(raw)
            if said and value not in said and all(sound_similarity(s, value) < self._decide.min_entity_sound for s in said):
                return f"the {slot} '{min(said)}' would become '{value}'"
        return ""
