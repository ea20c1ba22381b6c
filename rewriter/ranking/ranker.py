"""The ranker at run time: features, a first cheap stage, the cross-encoder for the few that are worth it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rewriter.decision.candidate import RETRIEVED, Candidate
from rewriter.decision.known import Known
from rewriter.decision.request import Request
from rewriter.errors import RewriterError
from rewriter.ranking.combiner import Combiner
from rewriter.ranking.cross_encoder import CrossEncoder
from rewriter.ranking.features import CROSS_ENCODER, NAMES, features_of, named
from rewriter.settings import Retrieval

CARD = "ranker.json"
#: A candidate less likely than this after the first stage is not worth a millisecond.
WORTH_READING = 0.05


class StagedRanker:
    """Ranks candidates by the chance that rewriting to them wins.

    The first stage sees all features but the cross-encoder; its best ``k`` candidates that have a chance are read by the
    cross-encoder and judged by the second stage. Without a cross-encoder the first stage's word is final.
    """

    def __init__(
        self, first: Combiner, full: Combiner | None = None, cross_encoder: CrossEncoder | None = None, k: int = 3
    ) -> None:
        self._first, self._full, self._cross_encoder, self._k = first, full, cross_encoder, k

    def rank(self, request: Request, known: Known, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """The candidates with features and probability, likeliest first, ties in the order of layers, then of text."""
        if not candidates:
            return ()
        with known.timed("features"):
            features = features_of(request, known, candidates)
        probabilities = self._first.probabilities(features)
        logits: dict[int, float] = {}
        if self._full is not None and self._cross_encoder is not None:
            few = worth_reading(probabilities, self._k)
            with known.timed("cross_encoder"):
                scores = self._cross_encoder.scores(request.key, [candidates[i].utterance for i in few])
            logits = dict(zip(few, scores.tolist(), strict=True))
            for i, logit in logits.items():
                probabilities[i] = self._full.probabilities(np.append(features[i], logit)[None, :])[0]
        ranked = [
            replace(c, features=named(x), cross_encoder=logits.get(i), probability=float(p))
            for i, (c, x, p) in enumerate(zip(candidates, features, probabilities, strict=True))
        ]
        return tuple(sorted(ranked, key=lambda c: (-(c.probability or 0.0), RETRIEVED.index(c.layer), c.utterance)))


def worth_reading(probabilities: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], k: int) -> list[int]:
    """Places of the best ``k`` probabilities of at least `WORTH_READING`, in their order of preference."""
    order = np.argsort(-np.asarray(probabilities), kind="stable")[:k]
    return [int(i) for i in order if probabilities[i] >= WORTH_READING]


def load_ranker(folder: Path, retrieval: Retrieval, threads: int = 1) -> StagedRanker | None:
    """The ranker of a folder that training wrote; None if training found nothing to learn from.

    Raises
    ------
    RewriterError
        If ``ranker.json`` is missing, broken or made for other features.
    """
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text("utf-8"))
        if card["first"] is None:
            return None
        first = Combiner.of_json(card["first"], NAMES)
        full = Combiner.of_json(card["full"], (*NAMES, CROSS_ENCODER.name)) if card["full"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RewriterError(f"{path}: not a ranker ({error})") from error
    cross_encoder = CrossEncoder(folder, threads) if full is not None else None
    return StagedRanker(first, full, cross_encoder, retrieval.k_cross_encoder)
