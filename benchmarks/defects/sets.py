"""Real dialogues with independent labels: which turns count, and which of them failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.real import data_folder


@dataclass(frozen=True)
class Judged:
    """Turns with independent labels: ``turn_id``, ``unit`` (bootstrap draws whole ones), ``split``, ``failed``."""

    turns: Path
    gold: pd.DataFrame

    def write_split(self, split: str, out: Path) -> Path:
        """The log of one split alone, as a file."""
        turns = pq.read_table(self.turns)
        ids = self.gold.loc[self.gold["split"] == split, "turn_id"]
        pq.write_table(turns.filter(np.isin(turns["turn_id"].to_numpy(), ids.to_numpy(dtype=str).astype(object))), out)
        return out


def _judged(name: str, unit: str) -> tuple[Path, pd.DataFrame]:
    folder = data_folder(f"{name}/turns.parquet") / name
    turns = pd.read_parquet(folder / "turns.parquet", columns=["turn_id", unit]).rename(columns={unit: "unit"})
    return folder / "turns.parquet", pd.read_parquet(folder / "gold.parquet").merge(turns, on="turn_id")


def calls() -> Judged:
    """Restaurant calls: a turn with a goal failed if what was understood is not what a human heard."""
    turns, gold = _judged("dstc2", "user_id")
    return Judged(turns, gold.assign(counts=gold["goal_turn"], failed=gold["defective"]))


def chats() -> Judged:
    """Chats with four bots: an answer failed if more raters called it a breakdown than a possible one or none."""
    turns, gold = _judged("dbdc3", "session_id")
    breakdown, possible = gold["p_breakdown"], gold["p_possible"]
    failed = (breakdown > possible) & (breakdown > 1.0 - breakdown - possible)
    return Judged(turns, gold.assign(counts=breakdown.notna(), failed=failed))


SETS = {"calls": calls, "chats": chats}
