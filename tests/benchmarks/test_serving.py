"""The serving benchmark runs at a small size, and its measures are right on worked examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.load import Reply
from benchmarks.serving.picture import FLOOR, REST, parts_of
from benchmarks.serving.recall import K, exact
from benchmarks.serving.run import main, median_of, timed
from benchmarks.serving.texts import requests
from benchmarks.serving.vectors import near
from rewriter.text import normalise


def unit(n: int, dim: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def reply(seconds: float, **steps: float) -> Reply:
    return Reply(0.0, seconds, {"source": "none", "reason": "", "timings_ms": {"rank": 1.0, **steps}})


def test_requests_are_distinct_normalised_and_the_first_of_more():
    few, more = requests(500, 1), requests(1000, 1)
    assert len({said.utterance for said in more}) == 1000
    assert more[:500] == few
    assert all(normalise(said.utterance) == said.utterance for said in more)
    assert all(value in said.utterance for said in more for _, value in said.slots)


def test_what_is_not_encoded_lies_near_the_encoded_one_before_it():
    vectors = unit(1000, 384, 0)
    vectors[1:500] = 0.0
    made = near(vectors)
    np.testing.assert_array_equal(made[500:], vectors[500:])
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    assert (made[1:500] @ vectors[0]).mean() == pytest.approx(1 / np.sqrt(1 + 0.6**2), abs=0.01)


def test_the_exact_search_by_blocks_is_the_sort_of_all_scores(monkeypatch):
    monkeypatch.setattr("benchmarks.serving.recall._BLOCK", 300)
    vectors, queries = unit(1000, 16, 0), unit(7, 16, 1)
    expected = np.argsort(-(queries @ vectors.T), axis=1)[:, :K]
    np.testing.assert_array_equal(exact(queries, 1000, lambda rows: vectors[rows]), expected)


def test_waiting_is_what_is_not_the_decision_and_only_the_kind_counts():
    replies = [reply(0.005, decide=2.0, total=3.0), reply(0.007, decide=4.0, total=4.5)]
    pair = Reply(0.0, 1.0, {"source": "precomputed", "reason": "", "timings_ms": {"decide": 0.1, "total": 0.2}})
    found = timed("full", [*replies, pair])
    assert (found["n"], found["late"]) == (2, 0)
    assert (found["service"]["p50"], found["queueing"]["p50"], found["client"]["p50"]) == (3.0, 0.75, 6.0)
    assert timed("precomputed", [*replies, pair])["server"]["p99"] == 0.2


def test_the_median_of_rounds_is_taken_figure_by_figure():
    rounds = [{"a": 1, "b": {"c": 9.0}}, {"a": 2, "b": {"c": 7.0}}, {"a": 30, "b": {"c": 8.0}}]
    assert median_of(rounds) == {"a": 2.0, "b": {"c": 8.0}}


def test_the_parts_of_a_bar_add_up_to_the_servers_time():
    parts = parts_of({"alone": {"steps": {"encode": 1.0, "guard": 0.5, "decide": 4.0, "total": 4.75}}})
    assert sum(parts.values()) == pytest.approx(4.75)
    assert parts[REST] == 2.5


@pytest.mark.heavy
def test_a_small_run_measures_every_kind_and_draws_them(tmp_path: Path):
    options = ["--small", "--folder", str(tmp_path / "world"), "--json", str(tmp_path / "r.json")]
    main([*options, "--picture", str(tmp_path / "p.svg")])
    result = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert {name: kind["alone"]["late"] for name, kind in result["kinds"].items()} == {
        "precomputed": 0,
        "full": 0,
        "nbest": 0,
    }
    assert all(kind["alone"]["n"] > 20 for kind in result["kinds"].values())
    assert result["parts"]["index"]["meaning"]["recall_at_10"] == 1.0  # small indexes are searched whole
    assert {row["n_read"] for row in result["torch"]} == {3, 10}
    assert FLOOR in (tmp_path / "p.svg").read_text("utf-8")
