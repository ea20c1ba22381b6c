"""One request as the run-time API receives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from rewriter.intents import understood
from rewriter.text import normalise


@dataclass(frozen=True)
class Alternative:
    """One hypothesis of the recogniser."""

    text: str
    score: float | None = None


@dataclass(frozen=True)
class Interpretation:
    """What NLU understood at its first look."""

    domain: str | None = None
    intent: str | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None


@dataclass(frozen=True)
class PreviousTurn:
    """An earlier turn of the session, as the caller remembers it."""

    utterance: str
    turn_id: str | None = None
    at: datetime | None = None
    response: str | None = None
    response_status: str | None = None
    barge_in: bool | None = None
    intent: str | None = None


@dataclass(frozen=True)
class Request:
    """Fields of ``POST /v1/rewrite``; only the utterance and the locale are needed.

    ``nbest`` is best first; ``previous_turns`` oldest first.
    """

    utterance: str
    locale: str = "en-US"
    user_id: str | None = None
    session_id: str | None = None
    at: datetime | None = None
    device: str | None = None
    asr_confidence: float | None = None
    nbest: tuple[Alternative, ...] = ()
    interpretation: Interpretation | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    previous_turns: tuple[PreviousTurn, ...] = ()
    request_id: str | None = None

    @cached_property
    def key(self) -> str:
        """The normalised utterance, under which pairs and indexes know it."""
        return normalise(self.utterance)

    @property
    def intent(self) -> str | None:
        """Intent of NLU's first look; None where it had none or understood nothing."""
        return understood(self.interpretation.intent) if self.interpretation else None
