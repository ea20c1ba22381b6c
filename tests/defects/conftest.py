from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from rewriter.defects.view import VIEW

#: A turn that went well, in the middle of a session.
PLAIN: dict[str, Any] = {
    "turn_id": "t", "locale": "en-US", "day": "2026-01-01", "text": "play jazz", "status": "ok", "barge_in": False,
    "feedback": None, "intent": "play", "reading": "music|play|", "asr_confidence": 0.9, "nlu_confidence": None,
    "nbest_margin": 0.5, "position": 1, "is_last": False, "prev_text": None, "prev_status": None, "prev_gap_s": None,
    "next_text": "what is the weather", "next_status": "ok", "next_intent": "weather", "next_reading": "weather|weather|",
    "next_nlu_confidence": 0.9, "next_barge_in": False, "next_gap_s": 30.0, "next2_text": None, "next2_status": None,
    "next2_reading": None, "next2_gap_s": None,
}  # fmt: skip


@pytest.fixture
def view():
    """Build a view: one plain turn per dict of overrides."""

    def build(*rows: dict[str, Any]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([PLAIN | row for row in rows or ({},)], schema=VIEW)

    return build
