"""Past requests and the ranker's training job, on a planted log."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.past_requests import Log, past_of, past_requests, request_of, resolutions, success_limit
from jobs.train_ranker import main
from rewriter.errors import RewriterError
from rewriter.settings import Settings
from schemas.tables import TURNS


def frame(spark, rows, columns):
    return spark.createDataFrame(rows, columns)


def test_a_failure_is_resolved_by_the_first_success_at_most_three_rephrases_on(spark):
    links = frame(
        spark,
        [(*pair, 0.5) for pair in ("ab", "bc", "cd", "kl", "pq", "qr", "rs", "st", "xy")],
        "turn_id string, target string, probability float",
    )
    failed = dict.fromkeys("abkpqrsx", True) | dict.fromkeys("cdlty", False)
    defects = frame(spark, list(failed.items()), "turn_id string, defective boolean")
    got = {tuple(row) for row in resolutions(links, defects).collect()}
    near = {("b", "c"), ("k", "l"), ("s", "t"), ("x", "y")}
    assert got == {(*pair, 0.5) for pair in near} | {("a", "c", 0.25), ("r", "t", 0.25), ("q", "t", 0.125)}


def test_a_turn_of_unsure_outcome_shows_no_loss_unless_labels_are_coarse(spark):
    fine = [(0.02, False)] * 80 + [(0.25, False)] * 20 + [(0.9, True)] * 50
    coarse = [(0.2, False)] * 100 + [(0.9, True)] * 50
    columns = "defect float, defective boolean"
    assert success_limit(frame(spark, fine, columns), 0.1) == pytest.approx(0.1)
    assert success_limit(frame(spark, coarse, columns), 0.1) == pytest.approx(0.2)
    assert success_limit(frame(spark, [(0.9, True)], columns), 0.1) == pytest.approx(0.1)


def rows_of(world, turns=None):
    log = Log(turns or world.root / "turns", world.root / "defects", world.root / "rephrases", 0.5)
    return {row["turn_id"]: row for row in past_requests(log, Settings()).toArrow().to_pylist()}


def test_a_past_request_knows_the_turn_before_it_and_what_resolved_it(spark, planted_world):
    rows = rows_of(planted_world)
    second = next(name for name in sorted(rows) if name.endswith("-1"))
    first = second[:-1] + "0"
    failed, repeated = past_of(rows[first]), past_of(rows[second])
    assert (failed.defective, failed.is_resolved, failed.own) == (True, True, None)
    assert failed.later == repeated.own
    assert failed.later_text == rows[second]["utterance"]
    assert (repeated.defective, repeated.later_text) == (False, "")
    before = request_of(rows[second]).previous_turns
    assert [(t.utterance, t.response_status) for t in before] == [(rows[first]["utterance"], "fallback")]
    assert request_of(rows[first]).previous_turns == ()


def test_what_resolved_a_failure_is_the_rewrite_that_was_served_in_place_of_what_was_heard(spark, planted_world, tmp_path):
    turns = [r for f in sorted((planted_world.root / "turns").rglob("*.parquet")) for r in pq.read_table(f).to_pylist()]
    said = {r["turn_id"]: r for r in turns}
    second = next(name for name in sorted(said) if name.endswith("-1"))
    first, meant = second[:-1] + "0", said[second]["utterance"]
    for arm, later_text in (("treatment", meant), ("control", "plai it")):
        said[second] |= {"utterance": "plai it", "rewrite": {"served": meant, "arm": arm}}
        pq.write_table(pa.Table.from_pylist(turns, schema=TURNS.schema), tmp_path / f"{arm}.parquet")
        assert past_of(rows_of(planted_world, tmp_path / f"{arm}.parquet")[first]).later_text == later_text


def test_half_of_the_past_requests_have_no_interpretation(spark, planted_world):
    requests = [request_of(row) for row in rows_of(planted_world).values()]
    bare = sum(r.interpretation is None for r in requests)
    assert 0.35 * len(requests) < bare < 0.65 * len(requests)


def test_the_ranker_learns_to_tell_the_right_candidate_and_is_the_same_every_time(spark, planted_world, tmp_path):
    counts = main(planted_world.arguments("rank", tmp_path / "ranker"))
    assert counts["metrics"]["first"]["auc"] > 0.85  # the first letter of a song leaves several possible
    card = json.loads((tmp_path / "ranker" / "ranker.json").read_text())
    assert card["metrics"]["full"]["n"] == card["metrics"]["first_on_the_same_rows"]["n"] > 0
    main(planted_world.arguments("rank", tmp_path / "again"))
    files = sorted(p.name for p in (tmp_path / "ranker").iterdir())
    assert files == (["ranker.json"] if card["full"] is None else ["model.onnx", "ranker.json", "tokenizer.json"])
    for name in files:
        assert (tmp_path / "ranker" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_log_without_failures_gives_a_ranker_that_says_why_it_is_empty(spark, planted, tmp_path):
    counts = main(planted(failing=0.0).arguments("rank", tmp_path / "ranker"))
    assert counts["reason"] == "too few examples: 0 wins of 0 candidates" or "0 wins of" in counts["reason"]
    assert json.loads((tmp_path / "ranker" / "ranker.json").read_text())["first"] is None


def test_a_missing_log_is_named(tmp_path, planted_world):
    arguments = planted_world.arguments("rank", tmp_path / "ranker", turns=tmp_path / "absent")
    with pytest.raises(RewriterError, match="absent"):
        main(arguments)
    assert not (tmp_path / "ranker").exists()
