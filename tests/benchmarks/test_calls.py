"""How the calls' benchmark cuts each caller's calls, and its table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.calls.habits import learnt_sessions, write_split
from benchmarks.calls.run import main, table_of


def calls_of(user: str, n: int) -> list[dict[str, object]]:
    day = pd.Timestamp("2013-03-01", tz="UTC")
    return [
        {
            "turn_id": f"{user}{i}{j}",
            "user_id": user,
            "session_id": f"{user}{i}",
            "at": day + pd.Timedelta(hours=9 - i, minutes=j),
        }
        for i in range(n)
        for j in range(2)
    ]


def test_the_first_calls_of_each_caller_are_learnt_from():
    # A caller's later calls have the smaller number here.
    turns = pd.DataFrame([*calls_of("a", 4), *calls_of("b", 1), *calls_of("c", 10)])
    assert learnt_sessions(turns) == {"a3", "a2", *(f"c{i}" for i in range(3, 10))}


def test_a_call_lies_on_one_side_and_its_gold_with_it(tmp_path: Path):
    turns = pd.DataFrame([*calls_of("a", 4), *calls_of("b", 3)])
    turns.to_parquet(tmp_path / "turns.parquet")
    turns[["turn_id"]].assign(split="train").to_parquet(tmp_path / "truth.parquet")
    paths = write_split(tmp_path / "turns.parquet", tmp_path / "truth.parquet", tmp_path)
    learnt, scored, gold = (pd.read_parquet(paths[name]) for name in ("learnt", "scored", "gold"))
    assert set(learnt["session_id"]) == {"a3", "a2", "b2", "b1"}
    assert set(scored["session_id"]) == {"a1", "a0", "b0"}
    assert set(gold["turn_id"]) == set(scored["turn_id"])


def test_the_table_gives_three_ratios_and_the_defects_fixed():
    counts = {"wins": 9, "losses": 1, "ratio_low": 1.3, "ratio_high": None, "share_of_defects_fixed": 0.125}
    found = {"both": {"scored": counts | {"all_turns": counts, "same_decoder": counts | {"ratio_low": None}}}}
    last = table_of("habits", found).splitlines()[-1]
    assert last.split() == "both 9 to 1 (1.3 to inf) 9 to 1 (1.3 to inf) 9 to 1 (0.0 to inf) 12.5%".split()


def test_without_the_calls_it_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REWRITER_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=f"no dstc2/turns_train.parquet in {tmp_path}"):
        main([])
