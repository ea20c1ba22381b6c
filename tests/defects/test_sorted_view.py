"""Rules on sorted turns against the rules on turns that Spark's windows put beside their neighbours."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.defects.sorted_view import sorted_defects
from rewriter.settings import Defects, Settings
from schemas.tables import TURNS

START = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)


def random_rows(seed: int, n: int = 160) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    rows, at = [], 0.0
    for k in range(n):
        at += float(rng.integers(1, 40))
        row: dict[str, Any] = dict.fromkeys(TURNS.schema.names)
        row |= {"turn_id": f"t{k:03d}", "user_id": f"u{k // 40}", "session_id": f"s{k // 8:02d}", "locale": "en-US"}
        row |= {"at": START + dt.timedelta(seconds=at), "nlu_confidence": float(np.float32(rng.random()))}
        row["utterance"] = str(rng.choice(["play feet it", "Play beat it!", "stop", "what is on now", ""]))
        row["response_status"] = rng.choice([None, "ok", "error", "no_result", "fallback"])
        row["intent"] = rng.choice([None, "play", "stop"])
        row["barge_in"] = bool(rng.random() < 0.2)
        row["feedback"] = rng.choice([None, None, "positive", "negative"])
        rows.append(row)
    return rows


def test_the_rules_say_the_same_of_sorted_turns_as_of_joined_ones(spark, tmp_path):
    from jobs.label_defects import label
    from jobs.storage import read_table
    from rewriter.text import normalise

    table = pa.Table.from_pylist(random_rows(1), schema=TURNS.schema)
    pq.write_table(table, tmp_path / "t.parquet")
    rows = label(read_table(spark, tmp_path / "t.parquet", TURNS), Settings()).collect()
    expected = {row["turn_id"]: row["defect"] for row in rows}
    text = pa.array([normalise(t) for t in table.column("utterance").to_pylist()])
    _, session = np.unique(table.column("session_id").to_numpy(zero_copy_only=False), return_inverse=True)
    found = sorted_defects(table, text, session, Defects(), has_intents=True)
    ids = table.column("turn_id").to_pylist()
    assert dict(zip(ids, found.tolist(), strict=True)) == expected
    assert len(set(expected.values())) > 20
