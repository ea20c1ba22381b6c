"""Candidates of one request: the user's own requests, everybody's, and the recogniser's other hypotheses."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rewriter.decision.candidate import RETRIEVED, Candidate
from rewriter.decision.known import Known
from rewriter.decision.request import Request
from rewriter.settings import Retrieval
from rewriter.text import normalise

if TYPE_CHECKING:
    from rewriter.retrieval.encoder import Encoder
    from rewriter.retrieval.global_index import Entry, GlobalIndex

#: Vectors of the last texts kept in memory: 1.5 kB each at 384 dimensions.
_KEPT_VECTORS = 8192


@dataclass
class _Evidence:
    """Where a text was found; a text found twice keeps all of it."""

    layers: set[str] = field(default_factory=set)
    bi_encoder: float = 0.0
    rank: int | None = None
    gap: float | None = None
    entry: Entry | None = None

    def add(self, layer: str, score: float, rank: int | None = None, gap: float | None = None) -> None:
        """Note one more place."""
        self.layers.add(layer)
        self.bi_encoder = score
        self.rank, self.gap = (rank, gap) if rank is not None else (self.rank, self.gap)


Found = defaultdict[str, _Evidence]


class Directory:
    """Everybody's statistics by wording, whether or not there is an index."""

    def __init__(self, index: GlobalIndex | None) -> None:
        self._index = index

    def of(self, locale: str, utterance: str) -> Entry | None:
        """Everybody's statistics of a normalised wording; None if it is not in the index."""
        return self._index.find(locale, utterance) if self._index is not None else None

    def entities(self) -> dict[str, frozenset[str]]:
        """Every slot value of the index: normalised value -> names of its slots."""
        values: dict[str, set[str]] = {}
        for slot, texts in (self._index.entities if self._index is not None else {}).items():
            for text in texts:
                values.setdefault(text, set()).add(slot)
        return {value: frozenset(names) for value, names in values.items()}


def alternatives(request: Request, k: int) -> list[tuple[str, int, float | None]]:
    """Up to ``k`` other wordings of the n-best list: normalised text, place in the list, score gap to the first."""
    first = request.nbest[0].score if request.nbest else None
    out: dict[str, tuple[str, int, float | None]] = {}
    for rank, hypothesis in enumerate(request.nbest):
        text = normalise(hypothesis.text)
        if text and text != request.key and text not in out:
            gap = None if first is None or hypothesis.score is None else first - hypothesis.score
            # A list that is not best first has scores of another kind.
            gap = None if gap is not None and gap < 0.0 else gap
            out[text] = (text, rank, gap)
    return list(out.values())[:k]


class Retriever:
    """Finds candidates; the same object serves requests and prepares the ranker's training data."""

    def __init__(self, encoder: Encoder, index: GlobalIndex | None, directory: Directory, retrieval: Retrieval) -> None:
        self._index, self._directory, self._settings = index, directory, retrieval
        # A text's vector depends on nothing else, and requests repeat.
        self._vector = lru_cache(_KEPT_VECTORS)(lambda text: encoder.encode([text])[0])

    def candidates(self, request: Request, known: Known) -> tuple[Candidate, ...]:
        """Distinct candidates other than the request itself, best bi-encoder score first, ties by text."""
        others = alternatives(request, self._settings.k_alternative)
        with known.timed("encode"):
            vectors = np.stack([self._vector(text) for text in (request.key, *(text for text, _, _ in others))])
        found: Found = defaultdict(_Evidence)
        self._personal(request, known, vectors[0], found)
        if self._index is not None:
            with known.timed("meaning"):
                hits = self._index.search(vectors[:1], self._settings.k_global, request.locale)[0]
            with known.timed("letters"):
                hits += self._index.alike(request.key, vectors[0], self._settings.k_letters, request.locale)
            for hit in hits:
                found[hit.entry.utterance].add("global", float(hit.score))
                found[hit.entry.utterance].entry = hit.entry
        for (text, rank, gap), vector in zip(others, vectors[1:], strict=True):
            found[text].add("alternative", float(vectors[0] @ vector), rank, gap)
        found.pop(request.key, None)
        own = known.personal
        candidates = [
            Candidate(
                utterance=text,
                layers=tuple(name for name in RETRIEVED if name in evidence.layers),
                entry=evidence.entry or self._directory.of(request.locale, text),
                own=own.find(request.locale, text) if own else None,
                bi_encoder=evidence.bi_encoder,
                rank=evidence.rank,
                gap=evidence.gap,
            )
            for text, evidence in found.items()
        ]
        return tuple(sorted(candidates, key=lambda c: (-(c.bi_encoder or 0.0), c.utterance)))

    def _personal(self, request: Request, known: Known, query: NDArray[np.float32], found: Found) -> None:
        if not known.personal:
            return
        from rewriter.retrieval.personal_index import nearest

        for hit in nearest(known.personal, query, self._settings.k_personal, request.locale):
            found[hit.entry.utterance].add("personal", float(hit.score))
