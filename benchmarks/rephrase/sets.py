"""Logs to learn from, and the sets on which what was learnt is scored: real dialogues here, simulated ones in `worlds`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rewriter.defects.sorted_view import sorted_defects
from rewriter.intents import NOTHING_UNDERSTOOD
from rewriter.rephrase.log import COLUMNS
from rewriter.settings import Settings
from rewriter.text import normalise

#: Where the real dialogues are.
DATA = "REWRITER_DATA"
#: Seconds of silence that end a session of the restaurant calls: prompts are long.
CALLS_GAP_S = 60.0
_ALSO = ("asr_confidence",)


@dataclass(frozen=True)
class Gold:
    """Truth of one turn: whether it failed, what it meant, which turns say it again, and which do word for word."""

    defective: bool
    meaning: str
    rephrases: frozenset[str]
    verbatim: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Log:
    """One log to learn from, and its held-out part.

    Attributes
    ----------
    train, test
        Turns with a column ``defect``, by rules alone; no user is in both.
    gold
        Of both; of train it only serves the thresholds of baselines.
    sets
        Set -> the turns of ``test`` that are its sources.
    """

    name: str
    max_gap_s: float
    train: pa.Table
    test: pa.Table
    gold: Mapping[str, Gold]
    sets: Mapping[str, frozenset[str]]


def with_rule_defects(turns: pa.Table) -> pa.Table:
    """The columns that rephrases are judged from, and the probability by rules alone that each turn failed."""
    keys = [(name, "ascending") for name in ("user_id", "session_id", "at", "turn_index", "turn_id")]
    ordered = turns.take(pc.sort_indices(turns, sort_keys=keys)).combine_chunks()
    session = pc.dictionary_encode(ordered["session_id"].combine_chunks()).indices.to_numpy(zero_copy_only=False)
    text = pa.array([normalise(t or "") for t in ordered["utterance"].to_pylist()])
    understood = pc.invert(pc.is_in(pc.utf8_lower(ordered["intent"]), value_set=pa.array(NOTHING_UNDERSTOOD)))
    has_intents = bool(pc.any(pc.and_(pc.is_valid(ordered["intent"]), understood)).as_py())
    defect = sorted_defects(ordered, text, session.astype(np.int64), Settings().defects, has_intents)
    return ordered.select([*COLUMNS, *_ALSO]).append_column("defect", pa.array(defect.astype(np.float32)))


def data_folder() -> Path | None:
    """The folder of real dialogues, if the environment names one that is there."""
    folder = Path(os.environ.get(DATA, ""))
    return folder if os.environ.get(DATA) and folder.is_dir() else None


def real(folder: Path, name: str, max_gap_s: float) -> Log:
    """A set of real dialogues: learnt from its train part, scored on dev."""
    rows = pq.read_table(folder / name / "gold.parquet").to_pylist()
    part = {row["turn_id"]: row["split"] for row in rows}
    turns = pq.read_table(folder / name / "turns.parquet")
    splits = pa.array([part[t] for t in turns["turn_id"].to_pylist()])
    gold = {
        row["turn_id"]: Gold(
            bool(row["defective"]),
            row["meaning"],
            frozenset(row["rephrase_turn_ids"]),
            frozenset(row.get("verbatim_turn_ids") or ()),
        )
        for row in rows
    }
    test = with_rule_defects(turns.filter(pc.equal(splits, "dev")))
    sets = {f"{name} dev": frozenset(test["turn_id"].to_pylist())}
    return Log(name, max_gap_s, with_rule_defects(turns.filter(pc.equal(splits, "train"))), test, gold, sets)
