"""The evaluation job: layers judged on held-out days of a planted log."""

from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import train_ranker
from jobs.evaluate import main
from jobs.live_outcomes import live_rows
from jobs.past_requests import Log
from rewriter.config import read_settings
from rewriter.decision.engine import Engine, load_parts
from rewriter.decision.request import Request
from schemas.tables import DEFECTS, TURNS


@pytest.fixture(scope="module")
def judged(spark, planted_world, tmp_path_factory):
    """(folder, decision card, rows of win_loss by layer and domain)."""
    out = tmp_path_factory.mktemp("judged")
    train_ranker.main(planted_world.arguments("rank", out / "ranker"))
    main(planted_world.arguments("evaluate", out / "win_loss", ranker=out / "ranker", decision=out / "decision"))
    rows = pq.read_table(out / "win_loss").to_pylist()
    card = json.loads((out / "decision" / "decision.json").read_text())
    return out, card, {(r["layer"], r["domain"]): r for r in rows}


def test_layers_that_are_right_are_on_with_the_counts_behind_it(judged):
    _, card, rows = judged
    assert card["layers"]["precomputed"]["enabled"]
    assert card["layers"]["global"]["enabled"]
    for layer in ("precomputed", "global"):
        row = rows[layer, "all"]
        assert row["ratio_low"] >= 3.0
        assert row["wins"] >= 8
        assert f"{row['wins']} wins, {row['losses']} losses" in card["layers"][layer]["reason"]
        assert row["threshold"] == card["layers"][layer]["threshold"]


def test_a_layer_without_candidates_is_off_with_the_reason(judged):
    _, card, rows = judged
    assert card["layers"]["personal"] == {
        "enabled": False,
        "threshold": 1.0,
        "reason": "0 wins, 0 losses on held-out days: nothing speaks for it",
    }
    assert rows["personal", "all"]["rewritten"] == 0


def test_all_layers_together_count_each_request_once(judged):
    _, card, rows = judged
    row = rows["all", "all"]
    assert row["rewritten"] <= row["n"] <= 240
    assert row["wins"] >= max(rows["precomputed", "all"]["wins"], rows["global", "all"]["wins"])
    assert row["wins"] < rows["precomputed", "all"]["wins"] + rows["global", "all"]["wins"]
    assert row["wins"] + row["losses"] + row["ties"] + row["undecided"] == row["rewritten"]
    assert card["held_out"]["wins"] == row["wins"]


def test_domains_add_up_to_the_whole(judged):
    _, _, rows = judged
    domains = [r for (layer, domain), r in rows.items() if layer == "all" and domain != "all"]
    for name in ("n", "rewritten", "wins", "losses"):
        assert sum(r[name] for r in domains) == rows["all", "all"][name]


def test_an_engine_with_these_gates_serves_what_was_judged(judged, planted_world):
    out, _, _ = judged
    root = planted_world.root
    settings = read_settings(root / "config.toml")
    parts = load_parts(
        settings,
        pairs=root / "pairs",
        encoder=root / "encoder",
        index=root / "global",
        ranker=out / "ranker",
        decision=out / "decision" / "decision.json",
    )
    engine = Engine(parts)
    assert engine.decide(Request("pay jazz")).source == "precomputed"
    repaired = engine.decide(Request("play the chaplin", asr_confidence=0.5))
    assert engine.decide(Request("play jazz")).reason.startswith("the request succeeds")
    assert repaired.source in ("global", "none")
    engine.close()


def test_the_same_log_gives_the_same_bytes(spark, judged, planted_world, tmp_path):
    out, _, _ = judged
    main(planted_world.arguments("evaluate", tmp_path / "w", ranker=out / "ranker", decision=tmp_path / "d"))
    assert (tmp_path / "d" / "decision.json").read_bytes() == (out / "decision" / "decision.json").read_bytes()
    assert (tmp_path / "w" / "part-00000.parquet").read_bytes() == (out / "win_loss" / "part-00000.parquet").read_bytes()


def test_a_switch_in_the_settings_turns_a_layer_off(spark, judged, planted_world, tmp_path):
    out, _, _ = judged
    config = tmp_path / "off.toml"
    config.write_text((planted_world.root / "config.toml").read_text() + "global = false\n")
    arguments = planted_world.arguments(
        "evaluate", tmp_path / "w", ranker=out / "ranker", decision=tmp_path / "d", config=config
    )
    main(arguments)
    card = json.loads((tmp_path / "d" / "decision.json").read_text())
    assert (card["layers"]["global"]["enabled"], card["layers"]["global"]["reason"]) == (
        False,
        "switched off in the settings",
    )


def test_without_failures_every_online_layer_is_off(spark, planted, tmp_path):
    world = planted(failing=0.0)
    train_ranker.main(world.arguments("rank", tmp_path / "ranker"))
    main(world.arguments("evaluate", tmp_path / "w", ranker=tmp_path / "ranker", decision=tmp_path / "d"))
    layers = json.loads((tmp_path / "d" / "decision.json").read_text())["layers"]
    assert {name for name, gate in layers.items() if gate["enabled"]} <= {"precomputed"}


@pytest.fixture
def lived(tmp_path):
    """``lived(plan)``: `live_rows` of turns planned as (rewrite, arm, turns, failed turns), all of one layer."""

    def rows_of(plan):
        rows, defects = [], []
        at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        for name, arm, n, n_failed in plan:
            for i in range(n):
                turn = dict.fromkeys(TURNS.schema.names) | {"turn_id": f"{name}-{arm}-{i}", "user_id": "u", "at": at}
                rewrite = {"rewrite_id": name, "served": "play beat it", "layer": "precomputed", "arm": arm}
                rows.append(turn | {"locale": "en-US", "utterance": "play beet it", "rewrite": rewrite | _SERVED_BY})
                defects.append({"turn_id": turn["turn_id"], "defect": 0.5, "defective": i < n_failed, "signals": []})
        for name, data, table in (("turns", rows, TURNS), ("defects", defects, DEFECTS)):
            folder = tmp_path / name / ("day=2026-03-01" if name == "defects" else "")
            folder.mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist(data, schema=table.schema), folder / "part.parquet")
        return live_rows(Log(tmp_path / "turns", tmp_path / "defects", tmp_path, 0.5))

    return rows_of


_SERVED_BY = {"propensity": 0.9, "bundle_version": "v"}


def test_few_withheld_turns_decide_nothing(spark, lived):
    got = lived([("good", "treatment", 400, 4), ("good", "holdout", 29, 29)])
    assert [(r["layer"], r["rewritten"], r["wins"], r["losses"], r["undecided"]) for r in got] == [
        ("all", 400, 0, 0, 400),
        ("precomputed", 400, 0, 0, 400),
    ]


def test_what_chance_explains_is_neither_won_nor_lost_live(spark, lived):
    got = lived([("good", "treatment", 970, 485), ("good", "holdout", 30, 20)])
    names = ("wins", "losses", "undecided", "ratio_low", "ratio_high")
    assert {tuple(r[name] for name in names) for r in got} == {(0, 0, 970, 0.0, None)}


def test_live_turns_are_counted_against_those_from_which_the_rewrite_was_withheld(spark, lived):
    plan = [
        ("good", "treatment", 40, 4),
        ("good", "holdout", 20, 16),
        ("bad", "treatment", 10, 8),
        ("bad", "control", 10, 2),
    ]
    got = lived([*plan, ("fresh", "treatment", 5, 0)])
    assert [r["layer"] for r in got] == ["all", "precomputed"]
    assert {k: got[0][k] for k in ("basis", "n", "rewritten", "wins", "losses", "undecided")} == {
        "basis": "live",
        "n": 85,
        "rewritten": 55,
        "wins": 28,  # 40 turns at 80% withheld would have failed 32 times, and failed 4
        "losses": 6,  # 10 turns at 20% would have failed twice, and failed 8
        "undecided": 5,
    }
