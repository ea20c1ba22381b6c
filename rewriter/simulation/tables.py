"""Simulated turns as tables: the log by its contract, the truth beside it, and counterfactual outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from rewriter.simulation.simulate import LOCALE
from rewriter.simulation.truth import TruePair
from rewriter.simulation.turn import Turn
from schemas.tables import TRUTH, TRUTH_PAIRS, TURNS

#: What each request would have come to as it was, and what it came to as served: exact, not estimated.
OUTCOMES = pa.schema(
    [
        pa.field("turn_id", pa.string(), nullable=False),
        ("arm", pa.string()),
        ("layer", pa.string()),
        ("served", pa.string()),
        pa.field("success_as_is", pa.bool_(), nullable=False),
        pa.field("success_as_served", pa.bool_(), nullable=False),
    ]
)


def _rewrite(turn: Turn) -> dict[str, object] | None:
    answer = turn.answer
    if answer.served is None:
        return None
    return {
        "rewrite_id": answer.rewrite_id,
        "served": answer.served,
        "layer": answer.layer,
        "arm": answer.arm,
        "propensity": answer.propensity,
        "bundle_version": answer.bundle_version,
    }


def turns_table(turns: Sequence[Turn]) -> pa.Table:
    """The log, with exactly the columns of the turns contract."""
    readings = [turn.reading.interpretation for turn in turns]
    values: dict[str, list[object]] = {
        "turn_id": [t.turn_id for t in turns],
        "user_id": [t.user_id for t in turns],
        "session_id": [t.session_id for t in turns],
        "turn_index": [t.turn_index for t in turns],
        "at": [t.at for t in turns],
        "locale": [LOCALE] * len(turns),
        "device": [t.device for t in turns],
        "utterance": [t.heard.text for t in turns],
        "asr_confidence": [t.heard.confidence for t in turns],
        "asr_nbest": [[{"text": text, "score": score} for text, score in t.heard.nbest] for t in turns],
        "domain": [domain for domain, _, _ in readings],
        "intent": [intent for _, intent, _ in readings],
        "slots": [list(slots) for _, _, slots in readings],
        "nlu_confidence": [t.reading.confidence for t in turns],
        "response": [t.reading.response for t in turns],
        "response_status": [t.reading.status for t in turns],
        "barge_in": [t.barge_in for t in turns],
        "feedback": [t.feedback for t in turns],
        "context": [list(t.context) for t in turns],
        "rewrite": [_rewrite(t) for t in turns],
    }
    return pa.table([pa.array(values[f.name], f.type) for f in TURNS.schema], schema=TURNS.schema)


def truth_table(turns: Sequence[Turn]) -> pa.Table:
    """What the pipeline never reads: goal, failure, what is said again, and the words before recognition."""
    values: dict[str, list[object]] = {
        "turn_id": [t.turn_id for t in turns],
        "goal": [t.goal.id for t in turns],
        "defective": [not t.ok for t in turns],
        "rephrase_of": [t.rephrase_of for t in turns],
        "intended_utterance": [t.said for t in turns],
    }
    return pa.table([pa.array(values[f.name], f.type) for f in TRUTH.schema], schema=TRUTH.schema)


def truth_pairs_table(pairs: Sequence[TruePair]) -> pa.Table:
    """True pairs by their contract."""
    rows = [[getattr(pair, field.name) for pair in pairs] for field in TRUTH_PAIRS.schema]
    columns = [pa.array(row, field.type) for row, field in zip(rows, TRUTH_PAIRS.schema, strict=True)]
    return pa.table(columns, schema=TRUTH_PAIRS.schema)


def outcomes_table(turns: Sequence[Turn]) -> pa.Table:
    """Counterfactual outcomes of every turn (`OUTCOMES`)."""
    values: dict[str, list[object]] = {
        "turn_id": [t.turn_id for t in turns],
        "arm": [t.answer.arm for t in turns],
        "layer": [t.answer.layer for t in turns],
        "served": [t.answer.served for t in turns],
        "success_as_is": [t.ok_as_is for t in turns],
        "success_as_served": [t.ok for t in turns],
    }
    return pa.table([pa.array(values[f.name], f.type) for f in OUTCOMES], schema=OUTCOMES)


def by_day(turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    """Turns of each UTC day, ``YYYY-MM-DD``, in order."""
    days: dict[str, list[Turn]] = {}
    for turn in turns:
        days.setdefault(day_text(turn.at), []).append(turn)
    return days


def day_text(at: datetime) -> str:
    """The day of an instant, ``YYYY-MM-DD``."""
    return at.date().isoformat()
