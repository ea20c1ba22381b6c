import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import report
from rewriter.errors import RewriterError
from rewriter.evaluation.win_loss import WinLoss
from rewriter.report.numbers import report_numbers
from rewriter.report.page import render
from rewriter.report.pairs import example
from schemas.table import Table
from schemas.tables import DECISIONS, DEFECTS, REPHRASES, REWRITE_PAIRS, WIN_LOSS

AT = datetime(2026, 1, 2, tzinfo=UTC)
PAIR = {
    "locale": "en-US", "source": "play jaz", "rewrite": "play jazz", "p_success_source": 0.1, "p_success_rewrite": 0.9,
    "lift": 0.8, "lift_lower": 0.7, "share": 0.64, "support_users": 20, "support_sessions": 30, "support_days": 5,
    "certified": True, "status": "active", "reason": "", "model_version": "m", "first_seen": AT, "last_seen": AT,
    "domain": "music", "intent": "play",
}  # fmt: skip
DECISION = {
    "request_id": "r", "at": AT, "locale": "en-US", "utterance": "play jaz", "rewrite": None, "source": "none",
    "reason": "no candidate", "arm": "treatment", "total_ms": 1.0,
}  # fmt: skip


def write(path, table: Table, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def defect(turn, defective, signals=()):
    return {"turn_id": turn, "defect": float(defective), "defective": defective, "signals": list(signals)}


@pytest.fixture
def warehouse(tmp_path):
    """Six turns of two days, three of them failed, two rephrased; three pairs; win/loss of two layers; four decisions."""
    root, tables = tmp_path / "wh", tmp_path / "wh" / "tables"
    day1 = [defect("a", True, ["fallback", "quick_repeat"]), defect("b", False), defect("c", True, ["barge_in"])]
    day2 = [defect("d", True, ["barge_in"]), defect("e", False, ["barge_in"]), defect("f", False)]
    write(tables / "defects/day=2026-01-01/p.parquet", DEFECTS, day1)
    write(tables / "defects/day=2026-01-02/p.parquet", DEFECTS, day2)
    said = [("a", "b", 0.9), ("b", "c", 0.99), ("c", "d", 0.2), ("d", None, 0.0)]
    rows = [{"turn_id": t, "rephrase_turn_id": r, "probability": p, "model_version": "m"} for t, r, p in said]
    write(tables / "rephrases/day=2026-01-01/p.parquet", REPHRASES, rows)
    rejected = {"status": "rejected", "reason": "lift not sure", "lift_lower": -0.1}
    pairs = [PAIR, PAIR | {"source": "plai jazz", "support_users": 90}, PAIR | rejected | {"source": "<b>stop</b>"}]
    write(tables / "rewrite_pairs/p.parquet", REWRITE_PAIRS, pairs)
    win_loss = [WinLoss(100, 40, 35, 1).row("proxy", "all"), WinLoss(100, 9, 9, 0).row("proxy", "global", threshold=0.7)]
    write(tables / "win_loss/p.parquet", WIN_LOSS, [*win_loss, WinLoss(50, 20, 10, 2).row("live", "all")])
    (root / "models/decision").mkdir(parents=True)
    gates = {"target": 8.5, "layers": {"global": {"enabled": False, "threshold": 0.7, "reason": "too few wins"}}}
    (root / "models/decision/decision.json").write_text(json.dumps(gates))
    (root / "models/rephrase").mkdir()
    (root / "models/rephrase/decision.json").write_text('{"threshold": 0.5}')
    stages = [{"name": "publish", "status": "done", "seconds": 2.5, "counts": {"pairs": 2}}]
    (root / "run.json").write_text(json.dumps({"stages": stages, "settings": {"mine": {"min_users": 10}}}))
    (root / "bundles/v1").mkdir(parents=True)
    (root / "bundles/CURRENT").write_text("v1\n")
    write(root / "bundles/v1/pairs.parquet", REWRITE_PAIRS, pairs[:2])
    served = {"rewrite": "play jazz", "source": "precomputed", "reason": "mined pair"}
    decisions = [DECISION | {"request_id": str(i), "total_ms": float(i)} | (served if i > 3 else {}) for i in range(1, 5)]
    write(root / "decisions/day=2026-01-02/p.parquet", DECISIONS, decisions)
    return root


def test_the_funnel_counts_each_step(warehouse):
    funnel = [(s["step"].split(" (")[0], s["n"]) for s in report_numbers(warehouse)["funnel"]]
    assert funnel == [
        ("turns", 6),
        ("judged defective", 3),
        ("with a turn that may say it again", 2),
        ("rephrased", 1),
        ("pairs mined", 3),
        ("active pairs", 2),
        ("pairs in the bundle", 2),
    ]


def test_failures_are_counted_by_day_and_signal(warehouse):
    numbers = report_numbers(warehouse)
    assert [(d["day"], d["turns"], d["defective"]) for d in numbers["defects"]["by_day"]] == [
        ("2026-01-01", 3, 2),
        ("2026-01-02", 3, 1),
    ]
    signals = [(s["signal"], s["turns"], s["defective"]) for s in numbers["defects"]["by_signal"]]
    assert signals == [("barge_in", 3, 2), ("fallback", 1, 1), ("quick_repeat", 1, 1)]


def test_pairs_come_best_first_and_the_rejected_with_their_reason(warehouse):
    pairs = report_numbers(warehouse)["pairs"]
    assert [p["source"] for p in pairs["active"]] == ["plai jazz", "play jaz"]
    assert pairs["by_status"] == {"active": 2, "pending": 0, "rejected": 1, "blocked": 0, "expired": 0}
    assert [(r["reason"], r["n"]) for r in pairs["turned_down"]] == [("lift not sure", 1)]
    assert "64% got there through" in pairs["active"][0]["example"]


def turned_down(warehouse, **settings):
    few = PAIR | {"status": "rejected", "reason": "fewer than 10 users", "source": "call doctor miller", "support_users": 1}
    enough = few | {"source": "play jass", "support_users": 10, "lift_lower": 0.01}
    write(
        warehouse / "tables/rewrite_pairs/p.parquet", REWRITE_PAIRS, [few, enough | {"reason": "lift not sure"}, enough, few]
    )
    (warehouse / "run.json").write_text(json.dumps({"stages": [], **settings}))
    numbers = report_numbers(warehouse)
    assert "doctor miller" not in json.dumps(numbers) + render(numbers)
    return {r["reason"]: (r["n"], r["example"] and r["example"]["source"]) for r in numbers["pairs"]["turned_down"]}


def test_what_fewer_people_said_than_a_pair_needs_is_counted_and_not_shown(warehouse):
    known = turned_down(warehouse, settings={"mine": {"min_users": 10}})
    assert known == {"fewer than 10 users": (3, "play jass"), "lift not sure": (1, "play jass")}
    more = turned_down(warehouse, settings={"mine": {"min_users": 11}})
    assert more == {"fewer than 10 users": (3, None), "lift not sure": (1, None)}


def test_where_the_run_does_not_say_how_many_users_a_pair_needs_no_turned_down_one_is_shown(warehouse):
    for settings in ({}, {"settings": {}}, {"settings": None}, {"settings": {"mine": {}}}):
        assert {example for _, example in turned_down(warehouse, **settings).values()} == {None}


def test_a_stage_that_has_not_run_on_the_new_log_is_named_as_stale(warehouse):
    stages = [{"name": "mine_rewrites", "status": "done"}, {"name": "publish", "status": "stale"}]
    shown = [stage | {"seconds": 1.0, "counts": {}} for stage in stages]
    (warehouse / "run.json").write_text(json.dumps({"stages": shown, "settings": {}}))
    numbers = report_numbers(warehouse)
    assert [line for line in numbers["missing"] if "stale" in line] == [
        "stage publish is stale: what it made is of an earlier log, settings or code; run again to its end"
    ]
    assert "stage publish is stale" in render(numbers)


def test_a_pair_that_stays_because_it_wins_live_tells_what_it_did_there():
    row = {"source": "plai jazz", "rewrite": "play jazz", "support_users": 7, "support_sessions": 9, "reason": "wins live"}
    told = example(row | {"share": 0.75, "p_success_rewrite": 0.8, "p_success_source": 0.5})
    assert "“plai jazz” was served as “play jazz” and succeeded 60% of the time" in told
    assert "got there" not in told


def test_proxy_and_live_are_kept_apart_and_gates_are_joined(warehouse):
    win_loss = report_numbers(warehouse)["win_loss"]
    assert [(r["layer"], r["wins"]) for r in win_loss["proxy"]] == [("all", 35), ("global", 9)]
    assert [(r["layer"], r["wins"]) for r in win_loss["live"]] == [("all", 10)]
    assert (win_loss["proxy"][1]["enabled"], win_loss["proxy"][1]["gate"]) == (False, "too few wins")


def test_traffic_gives_trigger_rate_and_latency_of_each_layer(warehouse):
    traffic = report_numbers(warehouse)["traffic"]
    assert (traffic["requests"], traffic["rewritten"], traffic["trigger_rate"]) == (4, 1, 0.25)
    none, table = traffic["by_layer"]
    assert (none["source"], none["requests"], none["p50_ms"]) == ("none", 3, 2.0)
    assert (table["source"], table["rewritten"], table["p99_ms"]) == ("precomputed", 1, 4.0)
    assert traffic["left_alone_because"] == [{"reason": "no candidate", "n": 3}]


def test_the_page_shows_the_numbers_and_escapes_what_users_said(warehouse):
    page = render(report_numbers(warehouse))
    assert "35.0 (6.1–202.2)" in page
    assert "no loss (" in page
    assert "50.0%" in page
    assert "&lt;b&gt;stop&lt;/b&gt;" in page
    assert "<b>stop</b>" not in page


def test_the_page_loads_nothing_from_anywhere(warehouse):
    page = render(report_numbers(warehouse))
    head = page[: page.index('<script type="module">')]
    assert not re.search(r"(src|href)\s*=|@import|url\(", head)
    assert "default-src 'none'" in head
    assert page.count("<script") - page.count("<\\/script") >= 2
    specs = json.loads(re.search(r'id="specs">(.*?)</script>', page, re.S)[1])
    assert set(specs) == {"chart-days", "chart-signals", "chart-proxy", "chart-stages"}


def test_the_command_writes_the_page_and_the_same_numbers(warehouse, tmp_path, capsys):
    counts = report.main(["--warehouse", str(warehouse), "--out", str(tmp_path / "out")])
    assert counts["missing"] == 0
    assert json.loads((tmp_path / "out/report.json").read_text()) == json.loads(json.dumps(report_numbers(warehouse)))
    assert (tmp_path / "out/index.html").read_text().startswith("<!DOCTYPE html>")
    assert "index.html" in capsys.readouterr().out


def test_what_is_missing_is_said_and_the_rest_still_shown(tmp_path, capsys):
    (tmp_path / "wh" / "tables").mkdir(parents=True)
    write(tmp_path / "wh/tables/defects/day=2026-01-01/p.parquet", DEFECTS, [defect("a", True)])
    report.main(["--warehouse", str(tmp_path / "wh"), "--out", str(tmp_path / "out")])
    assert "missing: table rephrases" in capsys.readouterr().out
    page = (tmp_path / "out/index.html").read_text()
    for part in ("rephrases", "rewrite_pairs", "win_loss", "run.json", "bundles/CURRENT", "decision log"):
        assert part in page, part
    assert "100.0%" in page


def test_an_empty_run_is_a_page_too(tmp_path):
    (tmp_path / "tables").mkdir()
    numbers = report_numbers(tmp_path)
    assert len(numbers["missing"]) == 9
    assert "Not in this report" in render(numbers)


@pytest.mark.parametrize(("make", "message"), [(False, "no such warehouse"), (True, "is not the folder of a run")])
def test_a_folder_that_is_no_warehouse_is_refused(tmp_path, make, message):
    folder = tmp_path / "x"
    if make:
        folder.mkdir()
    with pytest.raises(RewriterError, match=message):
        report_numbers(folder)


def test_a_damaged_part_is_named(warehouse):
    (warehouse / "run.json").write_text("{")
    with pytest.raises(RewriterError, match=r"run\.json"):
        report_numbers(warehouse)
