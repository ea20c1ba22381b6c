"""What is asked in which context, by Spark beside plain loops over the turns."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.contexts import context_rows, contexts_from
from rewriter.retrieval.contexts import Contexts, contexts_of, shape_of
from schemas.spark import spark_schema
from schemas.tables import DEFECTS, TURNS

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MAX_GAP_S, MAX_DEFECT = 60.0, 0.3


def turn(user: str, at_s: float, intent: str | None, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(TURNS.schema.names)
    row |= {"turn_id": f"{user}/{at_s}", "user_id": user, "at": NOON + dt.timedelta(seconds=at_s), "locale": "en-US"}
    return row | {"utterance": "hello", "domain": "music", "intent": intent, "defect": 0.1} | more


def found(spark, rows: list[dict[str, Any]], min_users: int) -> Contexts:
    turns = pa.Table.from_pylist([{k: r[k] for k in TURNS.schema.names} for r in rows], schema=TURNS.schema)
    judged = [{"turn_id": r["turn_id"], "defect": r["defect"], "defective": r["defect"] >= 0.5, "signals": []} for r in rows]
    defects = pa.Table.from_pylist(judged, schema=DEFECTS.schema)
    frames = [
        spark.createDataFrame(data.to_pandas(maps_as_pydicts="strict"), schema=spark_schema(table))
        for data, table in ((turns, TURNS), (defects, DEFECTS))
    ]
    return contexts_from(context_rows(*frames, MAX_DEFECT, min_users, MAX_GAP_S))


def twin(rows: list[dict[str, Any]], min_users: int) -> Contexts:
    users = defaultdict(set)
    before: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda r: r["at"]):
        last = before.get(row["user_id"])
        near = last is not None and (row["at"] - last["at"]).total_seconds() <= MAX_GAP_S
        before[row["user_id"]] = row
        shape = shape_of(row["domain"], row["intent"], dict(row["slots"] or ()))
        if row["defect"] <= MAX_DEFECT and shape is not None:
            for context in (None, *contexts_of(dict(row["context"] or ()), last["response"] if near else None)):
                users[context, shape].add(row["user_id"])
    return Contexts.of((c, s, len(u)) for (c, s), u in users.items() if len(u) >= min_users)


def random_log(seed: int, n: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    contexts = [None, [], [("screen", "player")], [("screen", "list"), ("zone", "")], [("zone", "Rome")]]
    slots = [None, [("song", "halo"), ("artist", "x")], [("artist", "y"), ("song", "z")], [("song", "halo")]]
    return [
        turn(
            f"u{rng.integers(8)}",
            float(20 * i + rng.integers(19)),
            [None, "play", "stop", "fallback"][int(rng.integers(4))],
            slots=slots[int(rng.integers(4))],
            context=contexts[int(rng.integers(5))],
            response=[None, "Which song?", "which  song", "Done."][int(rng.integers(4))],
            defect=float(rng.choice([0.1, 0.4, 0.9])),
        )
        for i in range(n)
    ]


def test_spark_counts_what_plain_loops_count(spark):
    rows = random_log(1)
    assert twin(rows, 3).within
    assert found(spark, rows, 3) == twin(rows, 3)


def test_one_user_has_one_vote_and_what_few_share_is_left_out(spark):
    rows = [turn("a", 100.0 * i, "play", context=[("address", "mine")]) for i in range(9)]
    rows += [turn(user, 0.0, "play", context=[("screen", "player")]) for user in "bcd"]
    assert found(spark, rows, 3) == Contexts({"music|play": 4}, {("screen", "player"): {"music|play": 3}})
