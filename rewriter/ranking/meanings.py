"""How a candidate stands among the others of its request: beside those that mean the same, and against the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rewriter.decision.candidate import Candidate
from rewriter.evaluation.proxy import interpretation_key


@dataclass(frozen=True)
class Standing:
    """One candidate among the others.

    Attributes
    ----------
    rival
        Bi-encoder score of the best candidate of another meaning; 0 without one.
    own, own_rival
        Likeness (words kept times bi-encoder score) of the user's own request that is most like this one, among those of
        the candidate's meaning and among those of other meanings; 0 without one.
    """

    rival: float
    own: float
    own_rival: float


def kept(request: str, candidate: str) -> float:
    """Share of the request's words that the candidate has too, both normalised.

    >>> kept("play morning glory", "play the podcast morning glory"), kept("weather in rome please", "weather please")
    (1.0, 0.5)
    """
    words, others = request.split(), frozenset(candidate.split())
    return sum(word in others for word in words) / max(len(words), 1)


def meaning_of(candidate: Candidate) -> str:
    """What the indexes know a candidate to mean, its text where they know nothing.

    The user's own index comes first: what this user means by a wording counts here, where labels go by what everybody gets.
    """
    known = candidate.own or candidate.entry
    reading = interpretation_key(known.domain, known.intent, known.slots) if known else None
    return reading or candidate.utterance


def standings(request: str, candidates: Sequence[Candidate]) -> list[Standing]:
    """The standing of each candidate of a normalised request."""
    meanings = [meaning_of(candidate) for candidate in candidates]
    scores = [candidate.bi_encoder or 0.0 for candidate in candidates]
    best = _best(zip(meanings, scores, strict=True))
    own = _best(
        (meaning, score * kept(request, candidate.utterance))
        for meaning, score, candidate in zip(meanings, scores, candidates, strict=True)
        if candidate.own is not None
    )
    return [Standing(_rival(best, m), own.get(m, 0.0), _rival(own, m)) for m in meanings]


def _best(scored: Iterable[tuple[str, float]]) -> dict[str, float]:
    best: dict[str, float] = {}
    for meaning, score in scored:
        best[meaning] = max(score, best.get(meaning, score))
    return best


def _rival(best: Mapping[str, float], meaning: str) -> float:
    return max((score for other, score in best.items() if other != meaning), default=0.0)
