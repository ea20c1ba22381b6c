"""One simulated world that lives with what one miner publishes: rounds of logging, mining and serving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.awareness.quality import Meanings
from jobs import mine_rewrites
from rewriter.simulation.exchange import PairRewriter
from rewriter.simulation.simulate import LOCALE, simulate
from rewriter.simulation.tables import by_day, turns_table
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

#: Wrong for everybody who says the source, which the NLU does well; planted beside what is published.
BAD_PAIRS = {
    "how much time is left": "what time is it",
    "what's the weather": "what's the weather tomorrow",
}
#: The wording that the scenario `flip` gives another meaning.
FLIPPED = "watch the games"


@dataclass(frozen=True)
class Setup:
    """The experiment: its population, its rounds, and the settings of both miners."""

    seed: int = 7
    users: int = 2000
    warm_days: int = 14  # before anything is served
    round_days: int = 3
    rounds: int = 10
    holdout: float = 0.1
    bad_round: int = 3  # from its first day on the bad pairs are served, until the miner does not publish them
    flip_round: int = 6  # on its first day the flipped wording changes its meaning
    min_users: int = 5
    half_life_days: float = 3.0

    @property
    def flip_day(self) -> int:
        """Day of the world on which the meaning changes."""
        return self.warm_days + self.round_days * (self.flip_round - 1)

    def days(self, number: int) -> range:
        """Days of a round; round 0 is the one before anything is served."""
        if not number:
            return range(self.warm_days)
        first = self.warm_days + self.round_days * (number - 1)
        return range(first, first + self.round_days)

    def config(self, self_aware: bool) -> str:
        """The settings file of a miner."""
        lines = (f"min_users = {self.min_users}", f"min_sessions = {self.min_users}", "min_days = 2")
        decay = f"half_life_days = {self.half_life_days}"
        return "\n".join(["[mine]", *lines, decay, f"self_aware = {str(self_aware).lower()}", ""])


@dataclass
class Round:
    """What one round showed and what was mined after it."""

    number: int
    n_turns: int
    defective: float
    live: dict[str, str]
    pairs: pa.Table

    @property
    def published(self) -> dict[str, str]:
        """Source and rewrite of the active pairs."""
        active = self.pairs.filter(pc.equal(self.pairs.column("status"), "active"))
        return dict(zip(active.column("source").to_pylist(), active.column("rewrite").to_pylist(), strict=True))

    def standing(self, source: str, rewrite: str) -> str:
        """Status and reason of a pair, ``not judged`` where the table has none."""
        same = pc.and_(pc.equal(self.pairs.column("source"), source), pc.equal(self.pairs.column("rewrite"), rewrite))
        rows = self.pairs.filter(same).to_pylist()
        return f"{rows[0]['status']}: {rows[0]['reason']}" if rows else "not judged"


def live(setup: Setup, self_aware: bool, folder: Path, meanings: Meanings) -> list[Round]:
    """All rounds of the world in which this miner decides what is served; its log grows below ``folder``."""
    world = World(setup.seed, "flip", setup.flip_day)
    turns_folder, config = folder / "turns", folder / "config.toml"
    turns_folder.mkdir(parents=True)
    config.write_text(setup.config(self_aware), "utf-8")
    rounds: list[Round] = []
    for number in range(setup.rounds + 1):
        served = dict(rounds[-1].published) if rounds else {}
        if number == setup.bad_round:
            served |= BAD_PAIRS
        rewriter = PairRewriter({(LOCALE, source): rewrite for source, rewrite in served.items()}, setup.holdout)
        turns = simulate(world, setup.users, setup.days(number), rewriter=rewriter)
        meanings.add(turns)
        write_days(turns, turns_folder)
        pairs = mined(turns_folder, config, folder / "pairs")
        rounds.append(Round(number, len(turns), float(np.mean([not turn.ok for turn in turns])), served, pairs))
    return rounds


def write_days(turns: list[Turn], folder: Path) -> None:
    """Add the days of a round to a log."""
    for day, of_day in by_day(turns).items():
        (folder / f"day={day}").mkdir()
        pq.write_table(turns_table(of_day), folder / f"day={day}" / "part-0.parquet")


def mined(turns: Path, config: Path, out: Path) -> pa.Table:
    """The pairs that the command makes of a log: rule labels and adjacency, as without any model."""
    arguments: list[Any] = ["--turns", turns, "--config", config, "--out", out]
    mine_rewrites.main([str(a) for a in arguments])
    return pq.read_table(out)
