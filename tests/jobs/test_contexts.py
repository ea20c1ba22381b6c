"""What is asked in which context, by Spark beside plain loops over the turns."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

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
    return contexts_from(context_rows(*frames, MAX_DEFECT, min_users, MAX_GAP_S), min_users)


def twin(rows: list[dict[str, Any]], min_users: int) -> Contexts:
    asked: dict[Any, Counter[Any]] = defaultdict(Counter)
    before: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda r: r["at"]):
        last = before.get(row["user_id"])
        near = last is not None and (row["at"] - last["at"]).total_seconds() <= MAX_GAP_S
        before[row["user_id"]] = row
        shape = shape_of(row["domain"], row["intent"], dict(row["slots"] or ()))
        if row["defect"] <= MAX_DEFECT and shape is not None:
            for context in (None, *contexts_of(dict(row["context"] or ()), last["response"] if near else None)):
                asked[row["locale"], context, row["user_id"]][shape] += 1
    votes: dict[Any, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (locale, context, _), shapes in asked.items():
        votes[locale, context][""].append(1.0)
        for shape, n in shapes.items():
            votes[locale, context][shape].append(n / shapes.total())
    kept = {
        where: {shape: sum(each) for shape, each in shapes.items() if len(each) >= min_users}
        for where, shapes in votes.items()
        if len(shapes[""]) >= min_users
    }
    return Contexts(kept, min_users - 1.0)


def random_log(seed: int, n: int = 300) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    contexts = [None, [], [("screen", "player")], [("screen", "list"), ("zone", "")], [("zone", "Rome"), ("", "x")]]
    slots = [None, [("song", "halo"), ("artist", "x")], [("artist", "y"), ("song", "z")], [("song", "halo")]]
    return [
        turn(
            f"u{rng.integers(8)}",
            float(20 * i + rng.integers(19)),
            [None, "play", "stop", "fallback"][int(rng.integers(4))],
            domain=["music", "", None][int(rng.integers(3))],
            locale=["en-US", "de-DE"][int(rng.integers(10) < 3)],
            slots=slots[int(rng.integers(4))],
            context=contexts[int(rng.integers(5))],
            response=[None, "Which song?", "which  song", "Done. " * 200][int(rng.integers(4))],
            defect=float(rng.choice([0.1, 0.4, 0.9])),
        )
        for i in range(n)
    ]


def test_spark_counts_what_plain_loops_count(spark):
    rows = random_log(1, 600)
    expected, got = twin(rows, 3), found(spark, rows, 3)
    assert len(expected.votes) > 8
    assert got.hidden == expected.hidden
    assert {where: set(shapes) for where, shapes in got.votes.items()} == {w: set(s) for w, s in expected.votes.items()}
    for where, shapes in got.votes.items():
        assert dict(shapes) == pytest.approx(expected.votes[where], abs=1e-5)


def test_a_user_has_one_vote_split_over_what_is_asked_and_what_few_share_is_left_out(spark):
    rows = [turn("a", 100.0 * i, "play", context=[("address", "mine")]) for i in range(9)]
    rows += [turn("b", 100.0 * i, "play" if i % 4 else "stop") for i in range(8)]
    rows += [turn(user, 0.0, "play", context=[("screen", "player")]) for user in "cde"]
    player = {"": 3.0, "music|play": 3.0}
    expected = {("en-US", None): {"": 5.0, "music|play": 4.75}, ("en-US", ("screen", "player")): player}
    assert found(spark, rows, 3) == Contexts(expected, 2.0)
