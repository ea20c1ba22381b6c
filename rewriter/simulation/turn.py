"""One simulated turn: what the log shows, and the truth behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rewriter.simulation.catalogue import Goal
from rewriter.simulation.exchange import Answer
from rewriter.simulation.nlu import Reading
from rewriter.simulation.recogniser import Heard


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn with its truth.

    ``day`` counts from the world's first; ``ok_as_is`` is what would have come of the heard text without any rewriting.
    """

    turn_id: str
    user_id: str
    session_id: str
    turn_index: int
    day: int
    at: datetime
    device: str
    context: tuple[tuple[str, str], ...]
    heard: Heard
    reading: Reading
    answer: Answer
    barge_in: bool
    feedback: str | None
    goal: Goal
    ok: bool
    ok_as_is: bool
    rephrase_of: str | None
    said: str
