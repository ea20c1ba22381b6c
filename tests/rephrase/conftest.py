"""Builders of turns for the rephrase tests: one base row plus overrides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from rewriter.rephrase.log import Log, read_log
from schemas.tables import TURNS

BASE: dict[str, Any] = {
    "user_id": "u",
    "session_id": None,
    "locale": "en-US",
    "utterance": "play jazz",
    "domain": "music",
    "intent": "play",
    "nlu_confidence": 0.95,
    "response": "playing",
    "response_status": "ok",
    "barge_in": False,
}
Build = Callable[[Sequence[dict[str, Any]]], pa.Table]


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    filled = []
    for i, row in enumerate(rows):
        full = {"turn_id": f"t{i}", **BASE, **row}
        full["at"] = start + timedelta(seconds=float(full.pop("at_s", 10.0 * i)))
        filled.append(full)
    schema = pa.schema([*TURNS.schema, ("defect", pa.float32())])
    return pa.Table.from_pylist(filled, schema=schema)


@pytest.fixture(scope="session")
def turns_of() -> Build:
    return table


@pytest.fixture(scope="session")
def log_of() -> Callable[..., Log]:
    def build(rows: Sequence[dict[str, Any]], window_turns: int = 3, max_gap_s: float = 45.0) -> Log:
        return read_log(table(rows), window_turns, max_gap_s)[0]

    return build
