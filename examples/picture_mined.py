"""The demo's log as it was counted for mining, counted again by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from jobs.counted_log import CountedLog, counted_log
from jobs.evidence import Evidence
from jobs.rephrase_counts import counting_of, user_turns
from jobs.scratch import scratch_beside
from rewriter.markov.counts import Counts, Ints, merge_edges, sums
from rewriter.markov.states import state_number
from rewriter.markov.visits import UNIT, Flags
from rewriter.settings import Settings


@dataclass(frozen=True)
class Mined:
    """The log as it was counted for mining; n states by place.

    Attributes
    ----------
    number : (n,) int
        Sorted state numbers.
    texts : n texts
        Of a wording its words, of a reading its best wording.
    is_reading : (n,) bool
    counts : Counts
        Without the ways through hubs.
    meaning : dict
        Number of the usual reading of each wording that has one.
    steps : frame
        A row a turn: ``turn_id``, ``wording``, ``defect``, and of its rephrase ``rephrase_turn_id``, ``said`` and ``meant``
        (its wording and reading; zero without).
    """

    number: Ints
    texts: tuple[str, ...]
    is_reading: Flags
    counts: Counts
    meaning: dict[int, int]
    steps: pd.DataFrame

    def place(self, number: int) -> int:
        """Place of a state."""
        return int(np.searchsorted(self.number, number))

    def target(self, pair: pd.Series) -> int:
        """Number of the state that the pair's rewrite stands for: what its words are read as, or the words themselves."""
        words = state_number(pair["locale"], pair["rewrite"])
        return self.meaning.get(words, words)


def _column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(table.column(name).to_numpy())


def counts_of_log(log: CountedLog, number: Ints) -> Counts:
    """The counts that mining solved, of states by their place in the sorted numbers."""
    edges, ends, n = log.edges.toArrow(), log.ends.toArrow(), len(number)
    source, target, state = (
        np.searchsorted(number, _column(table, name)).astype(np.int64)
        for table, name in ((edges, "source"), (edges, "target"), (ends, "state"))
    )
    success, failure = (sums(state, _column(ends, name) / UNIT, n) for name in ("success", "failure"))
    return Counts(*merge_edges(source, target, _column(edges, "weight") / UNIT, n), success, failure)


def steps_of(evidence: Evidence, settings: Settings) -> pd.DataFrame:
    """The ``steps`` of `Mined`: each turn with words, as the chain sees it."""
    counting = counting_of(evidence, settings)
    visits = counting.visits(user_turns(evidence, counting).toArrow())
    number, turn_id = np.append(visits.states.number, 0), visits.turns.column("turn_id").to_pandas()
    follows, then = visits.rephrase >= 0, visits.rephrase
    return pd.DataFrame(
        {
            "turn_id": turn_id,
            "wording": number[visits.state],
            "defect": visits.defect,
            "rephrase_turn_id": turn_id.iloc[then].where(follows, None).to_numpy(),
            "said": number[visits.to],
            "meant": np.where(follows, number[visits.reading[then]], 0),
        }
    )


def mined_of(evidence: Evidence, settings: Settings, scratch_for: Path) -> Mined:
    """A log counted as for mining; the scratch folder lies beside the path."""
    with scratch_beside(scratch_for) as scratch:
        log = counted_log(evidence, settings, scratch)
        preferred = log.forms.select("state", F.col("forms")[0]["text"].alias("preferred"))
        named = log.names.join(preferred, "state", "left").withColumn("text", F.coalesce("preferred", "text"))
        names, usual = named.toArrow().sort_by("state"), log.usual.select("state", "reading").toArrow()
        number = _column(names, "state")
        meaning = dict(zip(_column(usual, "state").tolist(), _column(usual, "reading").tolist(), strict=True))
        texts, is_reading = tuple(names.column("text").to_pylist()), np.asarray(names.column("is_reading"))
        return Mined(number, texts, is_reading, counts_of_log(log, number), meaning, steps_of(evidence, settings))
