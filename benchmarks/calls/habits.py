"""Calls cut by time within each caller: the first are learnt from, the rest are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

#: Share of each caller's calls to learn from, rounded down.
LEARNT = 0.7
_CALL = ["user_id", "session_id", "at"]


def learnt_sessions(turns: pd.DataFrame, share: float = LEARNT) -> set[str]:
    """The earliest calls of each caller, by the instant of their first turn; turns have user_id, session_id and at."""
    calls = turns.groupby(["user_id", "session_id"])["at"].min().reset_index().sort_values(["user_id", "at", "session_id"])
    place = calls.groupby("user_id").cumcount()
    n = calls.groupby("user_id")["session_id"].transform("size")
    return set(calls.loc[place < np.floor(share * n), "session_id"])


def write_split(turns: Path, gold: Path, folder: Path) -> dict[str, Path]:
    """The turns to learn from, those to score, and the gold of the latter, each a file of the folder."""
    log, truth = pq.read_table(turns), pq.read_table(gold)
    sessions = pa.array(sorted(learnt_sessions(log.select(_CALL).to_pandas())))
    learnt = pc.is_in(log["session_id"], value_set=sessions)
    scored = log.filter(pc.invert(learnt))
    mine = pc.is_in(truth["turn_id"], value_set=scored["turn_id"].combine_chunks())
    parts = {"learnt": log.filter(learnt), "scored": scored, "gold": truth.filter(mine)}
    paths = {name: folder / f"{name}.parquet" for name in parts}
    for name, part in parts.items():
        pq.write_table(part, paths[name])
    return paths
