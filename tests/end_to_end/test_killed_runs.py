"""A run killed anywhere and started again ends in the same bytes as one left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jobs.storage import read_arrow
from schemas.tables import REWRITE_PAIRS

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """A log, its settings, and the stage that its runs end with."""

    log: Path
    config: Path
    until: str = "publish"

    def run(self, out: Path) -> subprocess.Popen[bytes]:
        words = ["--turns", self.log / "turns", "--out", out, "--config", self.config, "--until", self.until]
        command = [sys.executable, "-m", "jobs.cli", "run", *map(str, words)]
        out.mkdir(exist_ok=True)
        with printed(out).open("ab") as file:
            return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=file, stderr=subprocess.STDOUT)

    def finish(self, out: Path) -> float:
        """Run to the end; returns the seconds it took."""
        start = time.monotonic()
        assert self.run(out).wait() == 0, printed(out).read_text("utf-8")[-4000:]
        return time.monotonic() - start

    def kill(self, out: Path, kills: int, longest_s: float, seed: int) -> None:
        """Kill runs at random times, then let one end."""
        rng = random.Random(seed)
        for _ in range(kills):
            process = self.run(out)
            time.sleep(rng.uniform(2.0, longest_s))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.finish(out)


def printed(out: Path) -> Path:
    """What the runs into this folder printed."""
    return out / "printed.txt"


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Case:
    folder = tmp_path_factory.mktemp("killed")
    simulate = [sys.executable, "-m", "jobs.simulate", "--out", str(folder / "log"), "--users", "150", "--days", "6"]
    subprocess.run([*simulate, "--seed", "5"], cwd=ROOT, check=True, capture_output=True)
    config = folder / "small.toml"
    config.write_text(f'[mine]\nmin_users = 2\nmin_sessions = 2\n[train]\nencoder = "{tiny_bert}"\nmax_steps = 6\n', "utf-8")
    return Case(folder / "log", config)


def test_a_run_killed_once_and_started_again_learns_the_same(case: Case, tmp_path: Path):
    case = replace(case, until="mine_fit")
    seconds = case.finish(tmp_path / "undisturbed")
    case.kill(tmp_path / "out", kills=1, longest_s=seconds, seed=11)
    undisturbed, restarted = tmp_path / "undisturbed", tmp_path / "out"
    assert bytes_below(undisturbed / "models") == bytes_below(restarted / "models") != {}
    pairs = read_arrow(undisturbed / "fit/rewrite_pairs", REWRITE_PAIRS)
    assert pairs.num_rows > 0
    assert read_arrow(restarted / "fit/rewrite_pairs", REWRITE_PAIRS).equals(pairs)


@pytest.mark.heavy
def test_a_run_killed_five_times_at_random_points_ends_in_the_same_bytes(case: Case, tmp_path: Path):
    seconds = case.finish(tmp_path / "undisturbed")
    case.kill(tmp_path / "out", kills=5, longest_s=0.6 * seconds, seed=1)
    bundles = [bytes_below(tmp_path / name / "bundles") for name in ("undisturbed", "out")]
    assert "CURRENT" in bundles[0]
    assert bundles[0] == bundles[1]
