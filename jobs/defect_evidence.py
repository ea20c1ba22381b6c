"""Evidence of failure on Spark: signals, rules and features of each turn, with the history of its wording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.dialogue import neighbours
from rewriter.defects.features import LABEL_GROUPS, feature_columns, is_strong
from rewriter.defects.meaning import Meaning, load_meaning
from rewriter.defects.rules import explicit_bounds, rule_probability
from rewriter.defects.signals import find_signals, signal_names
from rewriter.settings import Defects, Settings

EVIDENCE = pa.schema(
    [
        ("turn_id", pa.string()),
        ("locale", pa.string()),
        ("day", pa.string()),
        ("text", pa.string()),
        ("signals", pa.list_(pa.string())),
        ("strong", pa.bool_()),
        ("rules", pa.float64()),
        ("hidden_rules", pa.list_(pa.float64())),
        ("lost", pa.bool_()),
        ("least", pa.float64()),
        ("most", pa.float64()),
        ("features", pa.list_(pa.float32())),
    ]
)
_DDL = (
    "turn_id string, locale string, day string, text string, signals array<string>, strong boolean, rules double, "
    "hidden_rules array<double>, lost boolean, least double, most double, features array<float>"
)


def _lists(rows: np.ndarray, kind: pa.DataType) -> pa.Array:
    """A list column from a matrix, one list a row, without a Python object per value."""
    n, width = rows.shape
    offsets = pa.array(np.arange(0, (n + 1) * width, width, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(rows).ravel(), kind))


def evidence_of(
    view: pa.RecordBatch, settings: Defects, has_intents: bool, meaning: Meaning | None = None
) -> pa.RecordBatch:
    """The rows of `EVIDENCE` for turns with the columns of `rewriter.defects.view.VIEW`."""
    signals = find_signals(view, settings, has_intents)
    hidden = np.stack([rule_probability(view, signals, group) for group in LABEL_GROUPS], axis=1)
    columns = [
        *(view.column(name) for name in ("turn_id", "locale", "day", "text")),
        pa.array(signal_names(signals), pa.list_(pa.string())),
        pa.array(is_strong(signals)),
        pa.array(rule_probability(view, signals)),
        _lists(hidden, pa.float64()),
        pa.array(signals["not_understood"]),
        *map(pa.array, explicit_bounds(signals)),
        _lists(feature_columns(view, has_intents, meaning), pa.float32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVIDENCE)


def _worker(
    settings: dict[str, float], has_intents: bool, model: Path | None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def read(views: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        meaning: Meaning | None = None
        for view in views:
            # A task without rows loads no model.
            if model is not None and view.num_rows:
                meaning = meaning or load_meaning(model)
            yield evidence_of(view, Defects(**settings), has_intents, meaning)

    return read


def has_intents(turns: DataFrame) -> bool:
    """Whether the log records intents."""
    return bool(turns.where(F.col("intent").isNotNull()).head(1))


def _sampled(view: DataFrame, share: float) -> DataFrame:
    """About a share of the turns, chosen by a hash of ``turn_id``; each still knows its neighbours."""
    if share >= 1.0:
        return view
    return view.where(F.pmod(F.xxhash64("turn_id"), F.lit(1_000_000)) < F.lit(round(1_000_000 * share)))


def evidence(turns: DataFrame, settings: Settings, model: Path | None = None, share: float = 1.0) -> DataFrame:
    """One row a turn, or a ``share`` of them, with the columns of `EVIDENCE`.

    What an encoder tells is NaN without the folder of a ``model``.
    """
    view = _sampled(neighbours(turns, settings.sessions.max_gap_s), share)
    folder = model.resolve() if model else None
    return view.mapInArrow(_worker(asdict(settings.defects), has_intents(turns), folder), _DDL)


def with_wording(rows: DataFrame, past: DataFrame | None = None) -> DataFrame:
    """Evidence with ``n_same`` and ``n_strong``: turns of the same wording and locale, and those with a strong signal.

    Only whole days of the rows, ``past``, are counted if given; a turn of another day is counted besides, as itself.
    """
    counted = rows if past is None else past
    wording = counted.groupBy("locale", "text").agg(
        F.count("*").cast("double").alias("n_same"), F.count_if("strong").cast("double").alias("n_strong")
    )
    if past is None:
        return rows.join(wording, ["locale", "text"])
    is_other = past.select("day").distinct().withColumn("is_past", F.lit(True))
    known = rows.join(wording, ["locale", "text"], "left").join(F.broadcast(is_other), "day", "left")
    itself = F.when(F.col("is_past"), 0.0).otherwise(1.0)
    zero = F.lit(0.0)
    return known.withColumns(
        {
            "n_same": F.coalesce("n_same", zero) + itself,
            "n_strong": F.coalesce("n_strong", zero) + itself * F.col("strong").cast("double"),
        }
    ).drop("is_past")
