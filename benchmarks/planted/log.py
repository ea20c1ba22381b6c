"""A simulated log with its truth, and the pairs that the command makes of it, each by a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.real import ROOT
from rewriter.simulation.world import World

#: Of a turn, what the scores need.
SAID = ["turn_id", "user_id", "utterance", "domain", "intent"]


@dataclass(frozen=True)
class Log:
    """One simulated log, in a folder named after what decides it."""

    scenario: str
    users: int
    days: int
    seed: int
    folder: Path

    @property
    def home(self) -> Path:
        """The log's folder."""
        return self.folder / f"{self.scenario}-{self.users}x{self.days}-seed{self.seed}"

    @property
    def turns(self) -> Path:
        """The only table that the miner reads."""
        return self.home / "turns"

    def world(self) -> World:
        """The world of this log."""
        return World(self.seed, self.scenario, self.days // 2)

    def simulate(self) -> None:
        """Write the log, unless it is there: its last table is the turns."""
        if not self.turns.exists():
            given = {"users": self.users, "days": self.days, "seed": self.seed, "scenario": self.scenario}
            run("simulate", "--out", self.home, *(x for name, value in given.items() for x in (f"--{name}", value)))

    def said(self) -> pa.Table:
        """Who said what for which goal: the log beside its truth."""
        turns = pa.concat_tables([pq.ParquetFile(f).read(columns=SAID) for f in sorted(self.turns.rglob("*.parquet"))])
        truth = pq.read_table(self.home / "truth", columns=["turn_id", "goal", "defective"])
        return turns.join(truth, "turn_id", join_type="inner")

    def truth_pairs(self) -> pa.Table:
        """The pairs worth having."""
        return pq.read_table(self.home / "truth_pairs")

    def mine(self, states: str) -> tuple[pa.Table, float]:
        """The pairs of the command with default settings but for what a target is, and its seconds."""
        config, out = self.home / f"{states}.toml", self.home / f"pairs-{states}"
        config.write_text(config_of(states), "utf-8")
        begin = time.perf_counter()
        run("mine_rewrites", "--turns", self.turns, "--config", config, "--out", out)
        return pq.read_table(out), round(time.perf_counter() - begin, 1)


def config_of(states: str) -> str:
    """The settings file of a run."""
    return f'[mine]\nstates = "{states}"\n'


def run(job: str, *arguments: object) -> None:
    """Run a job as its users do; the end of what it said where it failed."""
    command = [sys.executable, "-m", f"jobs.{job}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"jobs.{job} ended with {done.returncode}:\n{done.stderr[-3000:]}")
