"""The seam between the simulated assistant and a system that rewrites its requests before the NLU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from rewriter.simulation.chance import unit


@dataclass(frozen=True, slots=True)
class Request:
    """One heard request, with the fields of ``POST /v1/rewrite``."""

    utterance: str
    user_id: str
    session_id: str
    at: datetime
    locale: str
    device: str
    asr_confidence: float
    nbest: tuple[tuple[str, float], ...]
    interpretation: dict[str, Any] | None
    context: dict[str, str]
    previous_turns: tuple[dict[str, Any], ...]
    request_id: str

    def body(self) -> dict[str, Any]:
        """The request as JSON-able fields of ``POST /v1/rewrite``."""
        return {
            "utterance": self.utterance,
            "user_id": self.user_id,
            "session_id": self.session_id,
            "at": self.at.isoformat(),
            "locale": self.locale,
            "device": self.device,
            "asr_confidence": self.asr_confidence,
            "nbest": [{"text": text, "score": score} for text, score in self.nbest],
            "interpretation": self.interpretation,
            "context": self.context,
            "previous_turns": [{**turn, "at": turn["at"].isoformat()} for turn in self.previous_turns],
            "request_id": self.request_id,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rewriting system said: a text to serve instead, or none and why.

    ``arm`` is treatment (the text is served), holdout or control (it would have been served).
    """

    served: str | None = None
    rewrite_id: str | None = None
    layer: str | None = None
    arm: str | None = None
    propensity: float | None = None
    bundle_version: str | None = None
    reason: str = ""


NO_REWRITE = Answer(reason="no pair for this request")


class Rewriter(Protocol):
    """Anything that answers requests; it must not depend on the order in which users are simulated."""

    def __call__(self, request: Request, /) -> Answer:
        """The answer to one request."""


@dataclass(frozen=True)
class PairRewriter:
    """Serves a table of pairs, keyed by locale and heard text, and withholds a share of their traffic."""

    pairs: Mapping[tuple[str, str], str]
    holdout: float = 0.0
    version: str = "pairs"
    start: datetime | None = field(default=None)

    def __call__(self, request: Request, /) -> Answer:
        """Look the heard text up; the arm depends on the request alone."""
        served = self.pairs.get((request.locale, request.utterance))
        if served is None or (self.start is not None and request.at < self.start):
            return NO_REWRITE
        rewrite_id = f"{request.locale}|{request.utterance}|{served}"
        withheld = unit("holdout", request.request_id, rewrite_id) < self.holdout
        return Answer(
            served=served,
            rewrite_id=rewrite_id,
            layer="precomputed",
            arm="holdout" if withheld else "treatment",
            propensity=self.holdout if withheld else 1.0 - self.holdout,
            bundle_version=self.version,
            reason="withheld" if withheld else "pair",
        )
