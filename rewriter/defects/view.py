"""What a defect is judged from: one row a turn, with its neighbours in the session, and similarities of their words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from rewriter.intents import NOTHING_UNDERSTOOD
from rewriter.text import sounds_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Columns of a view. `text` is normalised; `is_echo`: the session has had the same answer before; gaps run from the start
#: of one request to the start of the other.
VIEW = pa.schema(
    [
        ("turn_id", pa.string()),
        ("locale", pa.string()),
        ("day", pa.string()),
        ("text", pa.string()),
        ("status", pa.string()),
        ("barge_in", pa.bool_()),
        ("feedback", pa.string()),
        ("intent", pa.string()),
        ("asr_confidence", pa.float32()),
        ("nlu_confidence", pa.float32()),
        ("nbest_margin", pa.float32()),
        ("nbest_entropy", pa.float32()),
        ("response", pa.string()),
        ("is_echo", pa.bool_()),
        ("is_last", pa.bool_()),
        ("prev_text", pa.string()),
        ("prev_status", pa.string()),
        ("prev_response", pa.string()),
        ("next_text", pa.string()),
        ("next_status", pa.string()),
        ("next_intent", pa.string()),
        ("next_nlu_confidence", pa.float32()),
        ("next_barge_in", pa.bool_()),
        ("next_gap_s", pa.float64()),
        ("next2_text", pa.string()),
        ("next2_gap_s", pa.float64()),
    ]
)


def numbers_of(view: pa.RecordBatch, name: str, missing: float = np.nan) -> Floats:
    """A numeric column; nulls become ``missing``."""
    values: Floats = np.asarray(pc.cast(view.column(name), pa.float64()).fill_null(missing))
    return values


def equals(view: pa.RecordBatch, name: str, *values: str) -> Bools:
    """Where a text column holds one of the values, whatever the letter case; null holds none."""
    lowered = pc.utf8_lower(view.column(name))
    found: Bools = np.asarray(pc.is_in(lowered, value_set=pa.array(values, pa.string())), dtype=bool)
    return found


def flags(view: pa.RecordBatch, name: str) -> Bools:
    """A boolean column; null is false."""
    values: Bools = np.asarray(view.column(name).fill_null(False), dtype=bool)
    return values


def present(view: pa.RecordBatch, name: str) -> Bools:
    """Where a column is not null."""
    values: Bools = np.asarray(view.column(name).is_valid(), dtype=bool)
    return values


def understood(view: pa.RecordBatch, name: str = "intent") -> Bools:
    """Where NLU read some intent."""
    return present(view, name) & ~equals(view, name, *NOTHING_UNDERSTOOD)


def _texts(view: pa.RecordBatch, name: str) -> list[str]:
    return [text or "" for text in view.column(name).to_pylist()]


def word_similarity(
    view: pa.RecordBatch, other: str, scorer: Callable[..., Any] = Levenshtein.normalized_similarity
) -> Floats:
    """Similarity of each turn's text and another text column, in 0..1; 0 where the other is missing."""
    scores = cpdist(_texts(view, "text"), _texts(view, other), scorer=scorer, dtype=np.float64)
    return np.where(present(view, other), scores, 0.0)


def sound_similarity(view: pa.RecordBatch, other: str) -> Floats:
    """Similarity of the Metaphone keys of each turn's text and another text column, in 0..1; 0 where it is missing."""
    mine, theirs = ([sounds_of(t).replace(" ", "") for t in _texts(view, name)] for name in ("text", other))
    scores = cpdist(mine, theirs, scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    return np.where(present(view, other), scores, 0.0)
