"""What the service decided: how often it rewrote, from which layer, how fast, and why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rewriter.report.tables import count_by

_PERCENTILES = (50, 95, 99)


def _latency(ms: np.ndarray) -> dict[str, float]:
    return {f"p{p}_ms": round(float(np.percentile(ms, p)), 3) for p in _PERCENTILES}


def _rewritten(decisions: pa.Table) -> pa.ChunkedArray:
    """Whether the user was really served a rewrite: the log keeps what an arm of the experiment withheld too."""
    said = pc.is_valid(decisions.column("rewrite"))
    return pc.and_(said, pc.fill_null(pc.equal(decisions.column("arm"), "treatment"), True))


def _why_left(left: pa.Table) -> pa.ChunkedArray:
    """Reasons of requests left alone; those of a withheld rewrite speak for the rewrite, so its arm is named instead."""
    arm = pc.fill_null(left.column("arm"), "")
    withheld = pc.binary_join_element_wise("withheld by the experiment (", arm, ")", "")
    return pc.if_else(pc.is_valid(left.column("rewrite")), withheld, left.column("reason"))


def _part(decisions: pa.Table, key: str) -> list[dict[str, Any]]:
    """Requests, rewritten ones and latency of each value of a column."""
    rows = []
    column = decisions.column(key).fill_null("(none)")
    for value, n in count_by(column).items():
        mine = decisions.filter(pc.equal(column, value))
        rewritten = pc.sum(_rewritten(mine)).as_py()
        rows.append(
            {key: value, "requests": n, "share": n / decisions.num_rows, "rewritten": rewritten}
            | _latency(np.asarray(mine.column("total_ms")))
        )
    return rows


def traffic_numbers(decisions: pa.Table, n_reasons: int = 12) -> dict[str, Any]:
    """Numbers of a decision log (`schemas.tables.DECISIONS`) that is not empty.

    A request in the control or holdout arm counts as left alone, because it was.
    """
    n = decisions.num_rows
    served = _rewritten(decisions)
    rewritten = pc.sum(served).as_py()
    reasons = list(count_by(_why_left(decisions.filter(pc.invert(served)))).items())
    return {
        "requests": n,
        "rewritten": rewritten,
        "trigger_rate": rewritten / n,
        "by_layer": _part(decisions, "source"),
        "by_arm": _part(decisions, "arm"),
        "left_alone_because": [{"reason": reason, "n": count} for reason, count in reasons[:n_reasons]],
        **_latency(np.asarray(decisions.column("total_ms"))),
    }
