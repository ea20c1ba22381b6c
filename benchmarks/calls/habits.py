"""Calls cut by time within each caller: the first are learnt from, the rest are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

#: Share of each caller's calls to learn from, rounded down.
LEARNT = 0.7


def learnt_sessions(turns: pd.DataFrame, share: float = LEARNT) -> set[str]:
    """The earliest calls of each caller, by the instant of their first turn; turns have user_id, session_id and at."""
    calls = turns.groupby(["user_id", "session_id"])["at"].min().reset_index().sort_values(["user_id", "at", "session_id"])
    place = calls.groupby("user_id").cumcount()
    n = calls.groupby("user_id")["session_id"].transform("size")
    return set(calls.loc[place < np.floor(share * n), "session_id"])


def write_split(turns: Path, gold: Path, folder: Path) -> dict[str, Path]:
    """The turns to learn from, those to score, and the gold of the latter, each a file of the folder."""
    log, truth = pd.read_parquet(turns), pd.read_parquet(gold)
    learnt = log["session_id"].isin(learnt_sessions(log))
    scored = truth["turn_id"].isin(log.loc[~learnt, "turn_id"])
    parts = {"learnt": log[learnt], "scored": log[~learnt], "gold": truth[scored]}
    paths = {name: folder / f"{name}.parquet" for name in parts}
    for name, part in parts.items():
        part.to_parquet(paths[name], index=False)
    return paths
