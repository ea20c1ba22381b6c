"""A run killed anywhere and started again ends in the same bytes as one left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rewriter.bundle.layout import current

ROOT = Path(__file__).resolve().parents[2]


def run(log: Path, out: Path, config: Path) -> subprocess.Popen[bytes]:
    words = ["--turns", str(log / "turns"), "--out", str(out), "--config", str(config)]
    command = [sys.executable, "-m", "jobs.cli", "run", *words]
    out.mkdir(exist_ok=True)
    with printed(out).open("ab") as file:
        return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=file, stderr=subprocess.STDOUT)


def printed(out: Path) -> Path:
    """What the runs into this folder printed."""
    return out / "printed.txt"


def finish(log: Path, out: Path, config: Path) -> None:
    assert run(log, out, config).wait() == 0, printed(out).read_text("utf-8")[-4000:]


def bundle_bytes(out: Path) -> dict[str, bytes]:
    bundle = current(out / "bundles")
    files = {f"{bundle.name}/{p.relative_to(bundle)}": p.read_bytes() for p in sorted(bundle.rglob("*")) if p.is_file()}
    return files | {"CURRENT": (out / "bundles/CURRENT").read_bytes()}


def kill_runs(log: Path, out: Path, config: Path, kills: int, longest_s: float, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        process = run(log, out, config)
        time.sleep(rng.uniform(2.0, longest_s))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finish(log, out, config)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> tuple[Path, Path, dict[str, bytes], float]:
    folder = tmp_path_factory.mktemp("killed")
    simulate = [
        sys.executable,
        "-m",
        "jobs.simulate",
        "--out",
        str(folder / "log"),
        "--users",
        "150",
        "--days",
        "6",
        "--seed",
        "5",
    ]
    subprocess.run(simulate, cwd=ROOT, check=True, capture_output=True)
    config = folder / "small.toml"
    config.write_text(f'[mine]\nmin_users = 2\nmin_sessions = 2\n[train]\nencoder = "{tiny_bert}"\nmax_steps = 6\n', "utf-8")
    start = time.monotonic()
    finish(folder / "log", folder / "undisturbed", config)
    return folder / "log", config, bundle_bytes(folder / "undisturbed"), time.monotonic() - start


def test_a_run_killed_once_and_started_again_ends_in_the_same_bytes(
    undisturbed: tuple[Path, Path, dict[str, bytes], float], tmp_path: Path
):
    log, config, expected, seconds = undisturbed
    kill_runs(log, tmp_path / "out", config, kills=1, longest_s=seconds, seed=11)
    assert bundle_bytes(tmp_path / "out") == expected


@pytest.mark.heavy
def test_a_run_killed_five_times_at_random_points_ends_in_the_same_bytes(
    undisturbed: tuple[Path, Path, dict[str, bytes], float], tmp_path: Path
):
    log, config, expected, seconds = undisturbed
    kill_runs(log, tmp_path / "out", config, kills=5, longest_s=0.6 * seconds, seed=1)
    assert bundle_bytes(tmp_path / "out") == expected
