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
from jobs.explain import example_lines
from jobs.rephrase_counts import adjacent_links, link_support, visits_of
from jobs.rephrase_threshold import rephrase_threshold
from jobs.storage import read_arrow, read_table
from rewriter.errors import RewriterError
from rewriter.settings import Mine, Settings
from schemas.tables import REWRITE_PAIRS, TURNS

AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def turn(name: str, user: str, seconds: float, text: str, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(TURNS.schema.names) | {"turn_id": name, "user_id": user, "locale": "en-US", "utterance": text}
    return row | {"session_id": "s", "at": AT + dt.timedelta(seconds=seconds)} | more


def log(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=TURNS.schema), path)
    return path


def test_sessions_of_two_users_with_one_name_stay_apart(spark, tmp_path: Path):
    rows = [
        turn("a0", "anna", 0, "play beet it"),
        turn("b0", "ben", 1, "play beet it"),
        turn("a1", "anna", 5, "play beat it"),
        turn("b1", "ben", 6, "play beat it"),
    ]
    turns = read_table(spark, log(tmp_path / "t.parquet", rows), TURNS)
    links = adjacent_links(turns, 45.0)
    assert sorted((r[0], r[1]) for r in links.collect()) == [("a0", "a1"), ("b0", "b1")]
    no_defects = spark.createDataFrame([], "turn_id string, defect float")
    visits = visits_of(turns, no_defects, links, Mine())
    assert [(r["users"], r["sessions"]) for r in link_support(visits).collect()] == [(2, 2)]
    only_anna = visits.where("user_id = 'anna'")
    lines = example_lines(only_anna, turns, "play beet it", "play beat it", "en-US")
    assert [line.split("'")[1] for line in lines[1:]] == ["play beet it", "play beat it"]


def test_turns_of_one_instant_follow_each_other_by_their_index(spark, tmp_path: Path):
    rows = [turn("z", "u", 0, "play beet it", turn_index=0), turn("a", "u", 0, "play beat it", turn_index=1)]
    links = adjacent_links(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), 45.0)
    assert [(r[0], r[1]) for r in links.collect()] == [("z", "a")]


def test_a_log_without_words_gives_no_pairs(spark, tmp_path: Path):
    turns = log(tmp_path / "t.parquet", [turn("a", "u", 0, ""), turn("b", "u", 5, "?!")])
    counts = mine_rewrites.main(["--turns", str(turns), "--out", str(tmp_path / "pairs")])
    assert (counts["pairs"], counts["active"]) == (0, 0)
    assert read_arrow(tmp_path / "pairs", REWRITE_PAIRS).num_rows == 0


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
