"""The whole loop as `make demo` runs it, smaller: planted truth recovered, controls empty, service measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.storage import read_arrow
from rewriter.bundle.layout import current
from rewriter.simulation.world import World
from rewriter.text import normalise
from schemas.tables import REWRITE_PAIRS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
[mine]
min_users = 4
min_sessions = 4
[decide]
target_win_loss = 3.0
[experiment]
control = 0.2
holdout = 0.0
[train]
max_steps = 40
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    (out / "small.toml").write_text(CONFIG, "utf-8")
    command = [sys.executable, "-m", "examples.demo", "--out", str(out), "--config", str(out / "small.toml")]
    said = subprocess.run(
        [*command, "--users", "900", "--days", "12", "--live-days", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert said.returncode == 0, (said.stdout + said.stderr)[-4000:]
    return out


@pytest.fixture(scope="module")
def result(demo: Path) -> dict:
    return json.loads((demo / "result.json").read_text("utf-8"))


def test_failed_requests_repair_themselves(result: dict):
    assert result["errors"] == 0
    assert result["wins"] >= 20
    assert result["wins"] >= 5 * result["losses"]
    assert result["defect_after"] < result["defect_before"]


def test_logs_without_anything_to_learn_publish_no_pair(result: dict):
    assert result["controls"] == {"no_failures": 0, "shuffled": 0}


def test_published_pairs_help_the_users_who_say_them_by_the_simulators_own_rules(demo: Path):
    pairs = read_arrow(demo / "warehouse/tables/rewrite_pairs", REWRITE_PAIRS).to_pylist()
    active = [(p["source"], p["rewrite"]) for p in pairs if p["status"] == "active"]
    goals = {r["turn_id"]: r["goal"] for r in pq.read_table(demo / "log/truth").to_pylist()}
    said: dict[str, list[tuple[str, str]]] = {}
    for row in pq.read_table(demo / "log/turns", columns=["turn_id", "user_id", "utterance"]).to_pylist():
        said.setdefault(normalise(row["utterance"]), []).append((goals[row["turn_id"]], row["user_id"]))
    world = World(7)

    def success(text: str, source: str) -> float:
        return sum(world.succeeds(text, goal, user) for goal, user in said[source]) / len(said[source])

    wrong = [(a, b) for a, b in active if success(b, a) <= max(0.5, success(a, a))]
    assert len(active) >= 5
    assert len(wrong) <= 0.1 * len(active), wrong


def test_each_layers_latency_and_the_bundle_are_reported(demo: Path, result: dict):
    assert {"all", "none", "precomputed"} <= set(result["latency"])
    assert 0 < result["latency"]["all"]["p50"] <= result["latency"]["all"]["p99"]
    live = pq.read_table(demo / "live/turns", columns=["rewrite"])["rewrite"].to_pylist()
    versions = {r["bundle_version"] for r in live if r is not None}
    assert versions == {current(demo / "warehouse/bundles").name}


def test_a_second_run_over_the_same_log_does_nothing_and_changes_no_byte(demo: Path):
    bundle = current(demo / "warehouse/bundles")
    before = {p: p.stat().st_mtime_ns for p in sorted(bundle.rglob("*"))}
    words = ["--turns", str(demo / "log/turns"), "--out", str(demo / "warehouse"), "--config", str(demo / "small.toml")]
    said = subprocess.run([sys.executable, "-m", "jobs.cli", "run", *words], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("unchanged, skipped") == 14
    assert {p: p.stat().st_mtime_ns for p in sorted(bundle.rglob("*"))} == before


def test_the_report_opens_offline_and_shows_the_run(demo: Path):
    page = (demo / "report/index.html").read_text("utf-8")
    numbers = json.loads((demo / "report/report.json").read_text("utf-8"))
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert numbers


def test_a_published_pair_can_be_asked_for_and_explained(demo: Path):
    pairs = read_arrow(demo / "warehouse/tables/rewrite_pairs", REWRITE_PAIRS).to_pylist()
    pair = next(p for p in pairs if p["status"] == "active")

    def rewriter(*words: str) -> str:
        said = subprocess.run([sys.executable, "-m", "jobs.cli", *words], cwd=ROOT, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return said.stdout

    answer = rewriter("rewrite", pair["source"], "--bundles", str(demo / "warehouse/bundles"))
    assert pair["rewrite"] in answer
    assert "precomputed" in answer
    why = rewriter("explain", pair["source"], pair["rewrite"], "--warehouse", str(demo / "warehouse"))
    assert f"{pair['support_users']} users" in why
    assert "strongest ways" in why
