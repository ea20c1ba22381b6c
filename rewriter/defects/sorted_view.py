"""What the rules read of turns that lie sorted by session: the turn and the next two, without a join."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rewriter.defects.rules import rule_probability
from rewriter.defects.signals import find_signals
from rewriter.defects.view import Floats
from rewriter.settings import Defects

#: Columns of `turns` that the rules read.
RULE_COLUMNS = ("response_status", "barge_in", "feedback", "intent", "asr_confidence", "nlu_confidence")


def sorted_view(turns: pa.Table, text: pa.Array, session: NDArray[np.int64]) -> pa.RecordBatch:
    """The columns of `rewriter.defects.view.VIEW` that the rules read.

    Parameters
    ----------
    turns : table of n rows
        ``at`` and `RULE_COLUMNS`, sorted by session, then as they were said.
    text : (n,) text
        Normal forms.
    session : (n,) int
        The same number for turns of one session.
    """
    n = turns.num_rows
    at = np.asarray(turns.column("at").cast(pa.int64()))
    columns = {name.replace("response_", ""): turns.column(name).combine_chunks() for name in RULE_COLUMNS} | {"text": text}
    for name, ahead in (("next", 1), ("next2", 2)):
        there = np.zeros(n, bool)
        there[: n - ahead] = session[ahead:] == session[: n - ahead]
        row = np.minimum(np.arange(n) + ahead, max(n - 1, 0))
        columns[f"{name}_text"] = text.take(pa.array(row, mask=~there))
        columns[f"{name}_gap_s"] = pa.array((at[row] - at) / 1e6, mask=~there)
        if ahead == 1:
            columns["is_last"] = pa.array(~there)
    return pa.RecordBatch.from_pydict(columns)


def sorted_defects(
    turns: pa.Table, text: pa.Array, session: NDArray[np.int64], settings: Defects, has_intents: bool
) -> Floats:
    """Probability by rules alone that each of n turns failed; see `sorted_view`. As `jobs.label_defects` rounds it."""
    view = sorted_view(turns, text, session)
    probability = rule_probability(view, find_signals(view, settings, has_intents))
    return np.asarray(probability.astype(np.float32), np.float64)
