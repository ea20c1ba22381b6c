from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from rewriter.defects.meaning import Meaning
from rewriter.defects.view import VIEW

#: A turn that went well, in the middle of a session.
PLAIN: dict[str, Any] = {
    "turn_id": "t", "locale": "en-US", "day": "2026-01-01", "text": "play jazz", "status": "ok", "barge_in": False,
    "feedback": None, "intent": "play", "asr_confidence": 0.9, "nlu_confidence": None, "nbest_margin": 0.5,
    "nbest_entropy": 0.3, "response": "here is some jazz", "is_echo": False, "is_last": False,
    "prev_text": None, "prev_status": None, "prev_response": None,
    "next_text": "what is the weather", "next_status": "ok", "next_intent": "weather", "next_nlu_confidence": 0.9,
    "next_barge_in": False, "next_gap_s": 30.0, "next2_text": None, "next2_gap_s": None,
}  # fmt: skip


@pytest.fixture
def view():
    """Build a view: one plain turn per dict of overrides."""

    def build(*rows: dict[str, Any]) -> pa.RecordBatch:
        return pa.RecordBatch.from_pylist([PLAIN | row for row in rows or ({},)], schema=VIEW)

    return build


class Letters:
    """A text's vector is its letters' counts, of length 1: texts of the same letters mean the same."""

    dim = 27

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += texts
        rows = np.array([[text.count(c) for c in "abcdefghijklmnopqrstuvwxyz "] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def meaning():
    """What `Letters` tells, with three answers to hold others against."""
    encoder = Letters()
    return Meaning(encoder, encoder.encode(["zzz", "qqq", "here is some jazz"]))
