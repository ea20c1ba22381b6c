"""Logs with nothing to learn, through the whole plan with models trained on them: not one pair."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.storage import read_arrow
from schemas.tables import REWRITE_PAIRS

ROOT = Path(__file__).resolve().parents[2]


# Heavy: the loop's test asks its own models about the same logs in every run.
@pytest.mark.heavy
@pytest.mark.parametrize("scenario", ["no_failures", "shuffled"])
def test_a_log_without_anything_to_learn_publishes_no_pair(scenario: str, tmp_path: Path):
    simulated = ["--users", "500", "--days", "10", "--seed", "4", "--scenario", scenario]
    subprocess.run(
        [sys.executable, "-m", "jobs.cli", "simulate", "--out", str(tmp_path), *simulated],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (tmp_path / "small.toml").write_text("[mine]\nmin_users = 4\nmin_sessions = 4\n[train]\nmax_steps = 30\n", "utf-8")
    words = ["--turns", str(tmp_path / "turns"), "--out", str(tmp_path / "w"), "--config", str(tmp_path / "small.toml")]
    said = subprocess.run(
        [sys.executable, "-m", "jobs.cli", "run", *words, "--until", "mine_rewrites"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    pairs = read_arrow(tmp_path / "w/tables/rewrite_pairs", REWRITE_PAIRS).to_pylist()
    assert [(p["source"], p["rewrite"]) for p in pairs if p["status"] == "active"] == []
