"""How often the meant request is among the best k: the measure that decides whether training helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewriter.retrieval.pairs import Known, Pair

_BLOCK = 128  # queries scored at a time


@dataclass(frozen=True)
class Recall:
    """Shares of ``n`` queries whose target, or another request of its meaning, is first or among the first ten."""

    n: int
    at_1: float
    at_10: float

    def as_dict(self) -> dict[str, float | int]:
        """For a model's card, rounded to four digits."""
        return {"n": self.n, "recall@1": round(self.at_1, 4), "recall@10": round(self.at_10, 4)}

    def is_at_least(self, other: Recall) -> bool:
        """Neither share is lower."""
        return self.at_1 >= other.at_1 and self.at_10 >= other.at_10


def findable(pairs: Sequence[Pair], corpus: Sequence[Known]) -> list[Pair]:
    """The pairs whose target or meaning is in the corpus: no encoder can find the others."""
    texts, meanings = {one.text for one in corpus}, {one.meaning for one in corpus if one.meaning}
    return [p for p in pairs if p.target in texts or p.meaning in meanings]


def recall(pairs: Sequence[Pair], corpus: Sequence[Known], vectors: Mapping[str, NDArray[np.float32]]) -> Recall:
    """Recall at 1 and 10 by exact search over the corpus, the query's own text left out.

    A hit is the target's text, or its meaning where it is known. Nothing to ask gives zeros with ``n`` 0.
    """
    if not pairs or not corpus:
        return Recall(0, 0.0, 0.0)
    matrix = np.stack([vectors[one.text] for one in corpus])
    ranks: list[int] = []
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        scores = np.stack([vectors[pair.query] for pair in block]) @ matrix.T
        ranks += [_rank(pair, corpus, row) for pair, row in zip(block, scores, strict=True)]
    return Recall(len(pairs), float(np.mean([r < 1 for r in ranks])), float(np.mean([r < 10 for r in ranks])))


def _rank(pair: Pair, corpus: Sequence[Known], scores: NDArray[np.float32]) -> int:
    """How many others come before the first hit, looking at the best eleven: one of them may be the query itself."""
    best = np.argpartition(-scores, 10)[:11] if len(scores) > 11 else np.arange(len(scores))
    rank = 0
    for j in best[np.lexsort((best, -scores[best]))]:
        one = corpus[j]
        if one.text == pair.target or (pair.meaning and one.meaning == pair.meaning):
            return rank
        rank += one.text != pair.query
    return rank + len(corpus)
