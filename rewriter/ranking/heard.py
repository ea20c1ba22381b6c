"""How much of a candidate the recogniser heard, in all of its hypotheses at once.

Misheard words differ from one hypothesis to the next, and what was really said is often spread over them: "its number", "the
phone number" and "is phone" all speak for "what is the phone number", though none is it.
"""

from __future__ import annotations

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from rewriter.decision.request import Request
from rewriter.text import normalise, similarity

#: Hypotheses, and distinct words in them, that are looked at; the right words are rarely deeper.
MOST_HYPOTHESES, MOST_HEARD = 10, 200
#: Characters of a text that are looked at: no request is longer, and edit distances of long texts are dear.
MOST_CHARACTERS = 300


class Heard:
    """The hypotheses of one request, the request's own words among them; these alone without an n-best list."""

    def __init__(self, request: Request) -> None:
        hypotheses = (request.key, *(normalise(hypothesis.text) for hypothesis in request.nbest[:MOST_HYPOTHESES]))
        self._hypotheses = tuple(dict.fromkeys(text[:MOST_CHARACTERS] for text in hypotheses if text))
        words = [word for text in self._hypotheses for word in text.split()]
        self._words = tuple(dict.fromkeys(words))[:MOST_HEARD]
        self._known: dict[str, float] = dict.fromkeys(self._words, 1.0)

    def words(self, candidate: str) -> float:
        """How well each word of a normalised candidate was heard anywhere, 0..1, on average; 0 of an empty one.

        >>> from rewriter.decision.request import Alternative
        >>> request = Request("its number", nbest=(Alternative("is phone", 0.2),))
        >>> Heard(request).words("the phone number") == (similarity("the", "its") + 1 + 1) / 3
        True
        """
        words = candidate[:MOST_CHARACTERS].split()
        return sum(map(self._heard, words)) / max(len(words), 1)

    def like(self, candidate: str) -> float:
        """Edit similarity of a normalised candidate to the distinct hypotheses, 0..1, on average; 0 without any."""
        candidate = candidate[:MOST_CHARACTERS]
        return sum(similarity(text, candidate) for text in self._hypotheses) / max(len(self._hypotheses), 1)

    def _heard(self, word: str) -> float:
        if word not in self._known:
            best = process.extractOne(word, self._words, scorer=Levenshtein.normalized_similarity, processor=None)
            self._known[word] = float(best[1]) if best else 0.0
        return self._known[word]
