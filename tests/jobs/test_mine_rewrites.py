"""Links between turns, the support of a pair, and logs with nothing to mine."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import mine_rewrites
from jobs.evidence import Evidence, read_evidence
from jobs.explain import example_lines
from jobs.rephrase_counts import counting_of, pair_support, said_next, state_counts, summed, tallies, user_turns
from jobs.rephrase_threshold import rephrase_threshold
from jobs.storage import read_arrow
from rewriter.errors import RewriterError
from rewriter.markov.states import state_number
from rewriter.markov.visits import NO_SHIFTS
from rewriter.settings import Mine, Settings
from schemas.tables import DEFECTS, REWRITE_PAIRS, TURNS

AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def turn(name: str, user: str, seconds: float, text: str, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(TURNS.schema.names) | {"turn_id": name, "user_id": user, "locale": "en-US", "utterance": text}
    return row | {"session_id": "s", "at": AT + dt.timedelta(seconds=seconds)} | more


def log(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=TURNS.schema), path)
    return path


def evidence_of(path: Path, rows: list[dict[str, Any]]) -> Evidence:
    return read_evidence(log(path, rows), None, None, None, Settings())


def supported(evidence: Evidence) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Users, sessions and days of each pair of state numbers."""
    counting = counting_of(evidence, Settings())
    parts = tallies(user_turns(evidence, counting), counting, NO_SHIFTS)
    rows = pair_support(summed(parts, len(evidence.days)), len(evidence.days)).collect()
    return {(r["source"], r["rewrite"]): (r["users"], r["sessions"], r["days"]) for r in rows}


def pair(source: str, rewrite: str) -> tuple[int, int]:
    return state_number("en-US", source), state_number("en-US", rewrite)


def test_sessions_of_two_users_with_one_name_stay_apart(spark, tmp_path: Path):
    rows = [
        turn("a0", "anna", 0, "play beet it"),
        turn("b0", "ben", 1, "play beet it"),
        turn("a1", "anna", 5, "play beat it"),
        turn("b1", "ben", 6, "play beat it"),
    ]
    evidence = evidence_of(tmp_path / "t.parquet", rows)
    assert supported(evidence) == {pair("play beet it", "play beat it"): (2, 2, 1)}
    lines = example_lines(evidence, Settings(), "play beet it", "play beat it", "en-US")
    said = ["play beet it", "play beat it"]
    assert [line.split("'")[1] for line in lines if "'" in line] == said + said
    assert lines[0] == lines[3] == "  session s"


def test_turns_of_one_instant_follow_each_other_by_their_index(spark, tmp_path: Path):
    rows = [turn("z", "u", 0, "play beet it", turn_index=0), turn("a", "u", 0, "play beat it", turn_index=1)]
    assert set(supported(evidence_of(tmp_path / "t.parquet", rows))) == {pair("play beet it", "play beat it")}


SAID = [(0, "play feet it"), (9, "play beat it"), (90, "play beet it"), (99, "play bead it")]


def test_a_log_without_sessions_is_cut_where_users_pause(spark, tmp_path: Path):
    rows = [turn(f"t{k}", "u", at, text) for k, (at, text) in enumerate(SAID)]
    alone = {"session_id": None, "response_status": "fallback"}
    found = supported(evidence_of(tmp_path / "t.parquet", [row | alone for row in rows]))
    assert set(found) == {pair("play feet it", "play beat it"), pair("play beet it", "play bead it")}


def test_an_older_turn_weighs_half_at_each_half_life(spark, tmp_path: Path):
    rows = [turn("t0", "u", 0, "play it"), turn("t1", "v", 3 * 86_400, "play it")]
    evidence = evidence_of(tmp_path / "t.parquet", rows)
    settings = Settings(mine=Mine(half_life_days=1.5))
    counting = counting_of(evidence, settings)
    parts = tallies(user_turns(evidence, counting), counting, NO_SHIFTS)
    (ended,) = state_counts(summed(parts, 2)).collect()
    assert ended["success"] + ended["failure"] == pytest.approx(1_250_000, abs=2)


def test_a_log_without_words_gives_no_pairs(spark, tmp_path: Path):
    turns = log(tmp_path / "t.parquet", [turn("a", "u", 0, ""), turn("b", "u", 5, "?!")])
    counts = mine_rewrites.main(["--turns", str(turns), "--out", str(tmp_path / "pairs")])
    assert (counts["pairs"], counts["active"]) == (0, 0)
    assert read_arrow(tmp_path / "pairs", REWRITE_PAIRS).num_rows == 0


def test_words_are_said_next_only_when_enough_users_said_them(spark, tmp_path: Path):
    rows = [
        turn(f"{user}{k}", user, 20 * k, text, response_status=status)
        for user in ("anna", "ben")
        for k, (text, status) in enumerate([("play beet it", "fallback"), ("play beat it", "ok")])
    ]
    rows += [turn("c0", "cleo", 0, "play beet it", response_status="fallback"), turn("c1", "cleo", 5, "stop")]
    evidence = evidence_of(tmp_path / "turns.parquet", rows)
    counting = counting_of(evidence, Settings())
    sums = summed(tallies(user_turns(evidence, counting), counting, NO_SHIFTS), len(evidence.days)).persist()
    found = {n: {(r["source"], r["target"]) for r in said_next(sums, n).collect()} for n in (1, 2, 3)}
    sums.unpersist()
    beat, stop = pair("play beet it", "play beat it"), pair("play beet it", "stop")
    assert found == {1: {beat, stop}, 2: {beat}, 3: set()}


@pytest.mark.parametrize(("defects", "fault"), [([0.2], "labels 1 of 2 turns"), ([0.2, 1.5], "'defect' is 1.5")])
def test_labels_that_miss_turns_or_are_no_probability_are_refused(spark, tmp_path: Path, defects: list[float], fault: str):
    turns = log(tmp_path / "turns.parquet", [turn("a0", "anna", 0, "play"), turn("a1", "anna", 5, "stop")])
    labels = {"turn_id": ["a0", "a1"][: len(defects)], "defect": defects, "defective": [False] * len(defects)}
    columns = [pa.array(labels.get(f.name, [None] * len(defects)), f.type) for f in DEFECTS.schema]
    pq.write_table(pa.table(columns, schema=DEFECTS.schema), tmp_path / "defects.parquet")
    with pytest.raises(RewriterError, match=fault):
        read_evidence(turns, tmp_path / "defects.parquet", None, None, Settings())


def test_the_threshold_is_the_models_unless_the_settings_name_one(tmp_path: Path):
    named = Settings(mine=Mine(min_rephrase_probability=0.7))
    assert rephrase_threshold(None, Settings())[0] == 0.5
    assert rephrase_threshold(None, named)[0] == 0.7
    (tmp_path / "decision.json").write_text(json.dumps({"threshold": 0.4, "model_version": "m"}))
    assert rephrase_threshold(tmp_path, Settings()) == (0.4, "m")
    assert rephrase_threshold(tmp_path, named) == (0.7, "m")


@pytest.mark.parametrize("content", [None, "{", '{"threshold": "high"}', "[]"])
def test_a_model_without_a_readable_threshold_is_one_line(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "decision.json").write_text(content)
    with pytest.raises(RewriterError, match="no readable threshold"):
        rephrase_threshold(tmp_path, Settings())
