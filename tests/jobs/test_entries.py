"""Index entries by Spark beside a plain twin in pandas, and what must never enter them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs.entries import global_entries, personal_entries, requests, usage
from rewriter.text import normalise
from schemas.spark import spark_schema
from schemas.tables import DEFECTS, TURNS

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
CAP = 3.0


def turn(i: int, user: str, utterance: str, defect: float = 0.05, **more: Any) -> dict[str, Any]:
    """One turn and its defect in one row."""
    row: dict[str, Any] = dict.fromkeys(TURNS.schema.names)
    row |= {
        "turn_id": f"t{i}",
        "user_id": user,
        "at": NOON + dt.timedelta(hours=i),
        "locale": "en-US",
        "utterance": utterance,
    }
    row |= {"domain": "music", "intent": "play", "slots": [("song", utterance.lower())], "defect": defect}
    return row | more


def said(spark, rows: list[dict[str, Any]]):
    turns = pa.Table.from_pylist([{k: r[k] for k in TURNS.schema.names} for r in rows], schema=TURNS.schema)
    defects = pa.Table.from_pylist(
        [{"turn_id": r["turn_id"], "defect": r["defect"], "defective": r["defect"] >= 0.5, "signals": []} for r in rows],
        schema=DEFECTS.schema,
    )
    frames = [
        spark.createDataFrame(data.to_pandas(maps_as_pydicts="strict"), schema=spark_schema(table))
        for data, table in ((turns, TURNS), (defects, DEFECTS))
    ]
    return usage(requests(*frames, max_defect=0.3))


def rows_of(frame) -> list[dict[str, Any]]:
    return sorted((row.asDict() for row in frame.collect()), key=lambda r: (r["scope"], r["locale"], r["utterance"]))


def texts(frame) -> list[str]:
    return [row["utterance"] for row in rows_of(frame)]


def own(frame, max_entries: int = 100, max_age_days: float = 365.0):
    return personal_entries(frame, NOON + dt.timedelta(days=30), max_entries, max_age_days)


def random_log(seed: int, n: int = 400) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    phrases = ["Play Jazz!", "play  jazz", "jazz please", "rock", "news", "call mum", "", "éclair"]
    rows = []
    for i in range(n):
        text = str(rng.choice(phrases))
        reading = int(rng.integers(3))
        slots = [("song", normalise(text)), ("n", str(reading))][: int(rng.integers(3))]
        rows.append(
            turn(
                i,
                f"u{rng.integers(9)}",
                text,
                float(rng.choice([0.02, 0.2, 0.4, 0.6, 0.95], p=[0.4, 0.2, 0.1, 0.1, 0.2])),
                locale=str(rng.choice(["en-US", "en-GB"], p=[0.8, 0.2])),
                domain=[None, "music", "radio"][reading],
                intent=[None, "play", "tune"][int(rng.integers(3))],
                slots=slots or None,
                at=NOON + dt.timedelta(hours=int(rng.integers(600))),
            )
        )
    return rows


# The slow and obvious twin: plain loops over turns. None sorts before every text, as Spark sorts nulls.
def twin_turns(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["utterance"] = frame["utterance"].map(normalise)
    frame["reading"] = [(r["domain"] or "", r["intent"] or "", tuple(sorted(dict(r["slots"] or ()).items()))) for r in rows]
    frame["success"] = (frame["defect"] < 0.5) & (frame["defect"].astype("float32") <= np.float32(0.3))
    frame["defective"] = frame["defect"] >= 0.5
    return frame[frame["utterance"] != ""]


def twin_statistics(frame: pd.DataFrame, keys: list[str], cap: float) -> list[dict[str, Any]]:
    out = []
    for key, turns in frame.groupby(keys):
        votes: dict[tuple[Any, ...], float] = {}
        against = 0.0
        for (_, reading), part in turns.groupby(["user_id", "reading"]):
            votes[reading] = votes.get(reading, 0.0) + min(part["success"].sum(), cap)
            against += min(part["defective"].sum(), cap)
        good = turns[turns["success"]]
        if good.empty or sum(votes.values()) < against:
            continue
        reading = max(votes, key=lambda r: (votes[r], r))
        readers = good[good["reading"] == reading]["user_id"].nunique()
        out.append(
            dict(zip(keys, key, strict=True))
            | {"reading": reading, "readers": readers, "n_success": len(good), "n_defect": int(turns["defective"].sum())}
            | {"n_users": good["user_id"].nunique(), "last_seen": good["at"].max()}
        )
    return out


def comparable(row: dict[str, Any]) -> tuple[Any, ...]:
    reading = row.get("reading") or (row["domain"] or "", row["intent"] or "", tuple(sorted(row["slots"].items())))
    seen = pd.Timestamp(row["last_seen"])
    seen = seen.tz_localize("UTC") if seen.tzinfo is None else seen
    return (row["locale"], row["utterance"], reading, row["n_success"], row["n_defect"], row["n_users"], seen)


@pytest.mark.parametrize("seed", [0, 1])
def test_global_entries_equal_the_plain_twin(spark, seed: int):
    rows = random_log(seed)
    expected = [e for e in twin_statistics(twin_turns(rows), ["locale", "utterance"], CAP) if e["n_users"] >= 3]
    for entry in expected:
        domain, intent, slots = entry["reading"]
        entry["reading"] = (domain, intent, slots if entry["readers"] >= 3 else ())
    got = rows_of(global_entries(said(spark, rows), 3, CAP))
    assert len(expected) > 3
    assert [comparable(r) for r in got] == sorted(comparable(e) for e in expected)


def test_personal_entries_equal_the_plain_twin(spark):
    rows = random_log(5)
    newest = NOON + dt.timedelta(days=30)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for e in twin_statistics(twin_turns(rows), ["user_id", "locale", "utterance"], float("inf")):
        if newest - e["last_seen"] <= dt.timedelta(days=20):
            domain, intent, slots = e["reading"]
            wording = "" if slots and intent else e["utterance"]
            groups.setdefault((e["user_id"], e["locale"], domain, intent, slots, wording), []).append(e)
    merged = []
    for (user, *_), wordings in groups.items():
        best = max(wordings, key=lambda e: (e["n_success"], e["last_seen"], e["utterance"]))
        totals = {name: sum(e[name] for e in wordings) for name in ("n_success", "n_defect")}
        merged.append(best | totals | {"scope": user, "n_users": 1, "last_seen": max(e["last_seen"] for e in wordings)})
    expected = []
    for user in sorted({m["scope"] for m in merged}):
        mine = [m for m in merged if m["scope"] == user]
        mine.sort(key=lambda m: (-m["last_seen"].timestamp(), -m["n_success"], m["locale"], m["utterance"]))
        expected += mine[:4]
    got = rows_of(own(said(spark, rows), max_entries=4, max_age_days=20.0))
    assert len(got) > 20
    assert [(r["scope"], *comparable(r)) for r in got] == sorted((m["scope"], *comparable(m)) for m in expected)


def test_words_of_fewer_users_than_the_threshold_never_reach_the_global_entries(spark):
    secret = [turn(i, f"u{i % 4}", "my code is 4711") for i in range(40)]
    common = [turn(100 + i, f"u{i}", "play jazz") for i in range(5)]
    frame = said(spark, secret + common)
    assert texts(global_entries(frame, 5, CAP)) == ["play jazz"]
    assert texts(global_entries(frame, 4, CAP)) == ["my code is 4711", "play jazz"]


def test_users_who_only_failed_do_not_count_towards_the_threshold(spark):
    frame = said(spark, [turn(i, f"u{i}", "jazz", 0.9 if i > 2 else 0.1) for i in range(5)])
    assert global_entries(frame, 4, CAP).count() == 0
    assert global_entries(frame, 3, CAP).count() == 1


def test_a_request_that_fails_more_often_than_it_succeeds_is_no_entry_of_anybody(spark):
    rows = [turn(i, f"u{i}", "fix it", 0.9 if i % 3 else 0.1) for i in range(9)]
    rows += [turn(20 + i, "u0", "fix it", 0.9) for i in range(2)]
    frame = said(spark, rows)
    assert global_entries(frame, 1, CAP).count() == 0
    assert [(r["scope"], r["utterance"]) for r in rows_of(own(frame))] == [("u3", "fix it"), ("u6", "fix it")]


def test_one_user_cannot_vote_a_request_out_or_change_what_it_means(spark):
    rows = [turn(i, f"u{i}", "play jazz") for i in range(6)]
    rows += [turn(100 + i, "troll", "play jazz", 0.99) for i in range(50)]
    rows += [turn(200 + i, "troll", "play jazz", intent="call", slots=[("name", "boss")]) for i in range(50)]
    (entry,) = rows_of(global_entries(said(spark, rows), 5, CAP))
    assert (entry["intent"], entry["slots"], entry["n_users"]) == ("play", {"song": "play jazz"}, 7)
    assert (entry["n_success"], entry["n_defect"]) == (56, 50)


def test_a_rewritten_turn_counts_for_what_was_served_and_only_in_the_treatment_arm(spark):
    rows = [
        turn(i, f"u{i}", "play chess", rewrite={"served": "Play jazz", "arm": arm}, slots=[("song", "jazz")])
        for i, arm in enumerate(["treatment", "treatment", "holdout", "control"])
    ]
    got = {r["utterance"]: r["n_success"] for r in rows_of(global_entries(said(spark, rows), 1, CAP))}
    assert got == {"play jazz": 2, "play chess": 2}


def test_a_user_keeps_one_wording_of_an_interpretation_and_all_where_slots_are_missing(spark):
    meant = [("song", "thriller")]
    rows = [turn(i, "u1", text, slots=meant) for i, text in enumerate(["thriller", "play thriller", "play thriller"])]
    rows += [turn(10 + i, "u1", text, intent="stop", slots=None) for i, text in enumerate(["stop", "be quiet"])]
    got = rows_of(own(said(spark, rows)))
    assert [(r["utterance"], r["n_success"]) for r in got] == [("be quiet", 1), ("play thriller", 3), ("stop", 1)]


def test_a_user_keeps_the_latest_requests_up_to_the_cap_and_forgets_old_ones(spark):
    frame = said(spark, [turn(i, "u1", f"song {i}") for i in range(10)])
    assert texts(own(frame, max_entries=3)) == ["song 7", "song 8", "song 9"]
    age_of_song_8 = 30 - 8 / 24
    assert texts(own(frame, max_age_days=age_of_song_8)) == ["song 8", "song 9"]


def test_locales_never_share_an_entry(spark):
    rows = [turn(i, f"u{i}", "taxi", locale="de-DE" if i < 3 else "en-US") for i in range(6)]
    assert global_entries(said(spark, rows), 4, CAP).count() == 0
    got = rows_of(global_entries(said(spark, rows), 3, CAP))
    assert [(r["locale"], r["n_users"]) for r in got] == [("de-DE", 3), ("en-US", 3)]


def test_turns_without_a_verdict_and_empty_requests_are_left_out(spark, tmp_path: Path):
    frame = said(spark, [turn(1, "u1", "??"), turn(2, "u1", "ok", 0.4), turn(3, "u1", "fine")])
    assert texts(own(frame)) == ["fine"]


def test_slots_of_fewer_users_than_the_threshold_never_reach_the_global_entries(spark):
    def home(users: int, shared: int) -> dict[str, str]:
        """Slots of the entry when so many users ask for the way home, so many of them to one address."""
        rows = [
            turn(i, f"u{i}", "navigate home", slots=[("address", "main square" if i < shared else f"street {i}")])
            for i in range(users)
        ]
        (entry,) = rows_of(global_entries(said(spark, rows), 5, CAP))
        assert (entry["domain"], entry["intent"], entry["n_users"]) == ("music", "play", users)
        return entry["slots"]

    assert home(6, shared=0) == {}
    assert home(6, shared=4) == {}
    assert home(6, shared=5) == {"address": "main square"}
