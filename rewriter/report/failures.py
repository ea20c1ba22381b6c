"""How often requests failed, by day and by signal, and how far the failed ones got."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def log_numbers(defects: pa.Table) -> dict[str, Any]:
    """Turns of the log, how many failed, and its days."""
    days = pc.min_max(defects.column("day")).as_py()
    n, failed = defects.num_rows, pc.sum(defects.column("defective")).as_py() or 0
    return {
        "turns": n,
        "defective": failed,
        "defect_rate": failed / n if n else 0.0,
        "first_day": days["min"],
        "last_day": days["max"],
        "days": pc.count_distinct(defects.column("day")).as_py(),
    }


def by_day(defects: pa.Table) -> list[dict[str, Any]]:
    """Turns, defective turns and their rate, day by day."""
    flags = pa.table({"day": defects.column("day"), "failed": defects.column("defective").cast(pa.int64())})
    grouped = flags.group_by("day").aggregate([("failed", "count"), ("failed", "sum")]).sort_by("day").to_pylist()
    return [
        {
            "day": row["day"],
            "turns": row["failed_count"],
            "defective": row["failed_sum"],
            "rate": row["failed_sum"] / row["failed_count"],
        }
        for row in grouped
    ]


def by_signal(defects: pa.Table) -> list[dict[str, Any]]:
    """For each signal the turns that show it, and how many of these were judged failed; most frequent first."""
    signals = defects.column("signals").combine_chunks()
    parents = np.asarray(pc.list_parent_indices(signals))
    failed = np.asarray(defects.column("defective").combine_chunks(), dtype=bool)[parents]
    flat = pa.table({"signal": pc.list_flatten(signals), "failed": pa.array(failed.astype(np.int64))})
    grouped = flat.group_by("signal").aggregate([("failed", "count"), ("failed", "sum")]).to_pylist()
    n = defects.num_rows
    rows = [
        {
            "signal": row["signal"],
            "turns": row["failed_count"],
            "share": row["failed_count"] / n,
            "defective": row["failed_sum"],
        }
        for row in grouped
    ]
    return sorted(rows, key=lambda r: (-r["turns"], r["signal"]))


def rephrase_steps(defects: pa.Table, rephrases: pa.Table, threshold: float | None) -> list[dict[str, Any]]:
    """Steps of the funnel after the defect: a later turn in the window, and one that the model accepts."""
    failed = defects.filter(defects.column("defective")).column("turn_id")
    mine = rephrases.filter(pc.is_in(rephrases.column("turn_id"), value_set=failed.combine_chunks()))
    followed = mine.filter(mine.column("rephrase_turn_id").is_valid())
    steps = [{"step": "with a turn that may say it again", "n": followed.num_rows, "unit": "turns"}]
    if threshold is not None:
        said = pc.sum(pc.greater_equal(followed.column("probability"), threshold)).as_py() or 0
        steps.append({"step": f"rephrased (probability at least {threshold:.2f})", "n": said, "unit": "turns"})
    return steps
