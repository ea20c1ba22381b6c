"""The page of a bundle that people read: what it rewrites, on what evidence, and what it withholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

_ROWS = 100


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return str("-" if value is None else value).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(_cell(v) for v in row) + " |" for row in rows]


def _weight(row: Mapping[str, Any]) -> tuple[float, str, str]:
    """Order of the page: what helps most users most comes first."""
    return -row["lift_lower"] * row["support_users"], row["locale"], row["source"]


#: Heading -> column of a pair.
_COLUMNS = {
    "request": "source",
    "rewrite": "rewrite",
    "locale": "locale",
    "succeeds now": "p_success_source",
    "succeeds rewritten": "p_success_rewrite",
    "gain at least": "lift_lower",
    "share of users": "share",
    "users": "support_users",
    "sessions": "support_sessions",
    "days": "support_days",
    "reason": "reason",
}


def _pairs(title: str, rows: list[dict[str, Any]]) -> list[str]:
    shown = sorted(rows, key=_weight)[:_ROWS]
    more = [f"\n{len(rows) - len(shown)} more in `pairs.parquet`."] if len(rows) > len(shown) else []
    cells = [[row[name] for name in _COLUMNS.values()] for row in shown]
    return [f"\n## {title} ({len(rows)})\n", *_table(list(_COLUMNS), cells), *more]


def _layers(decision: Mapping[str, Any]) -> list[str]:
    layers = decision.get("layers", {})
    rows = [
        [name, "on" if layer.get("enabled") else "off", layer.get("threshold"), layer.get("reason", "")]
        for name, layer in sorted(layers.items())
    ]
    return ["\n## Layers\n", *_table(("layer", "state", "threshold", "reason"), rows)] if rows else []


def _win_loss(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = ("basis", "layer", "domain", "n", "rewritten", "wins", "losses", "ties", "undecided", "ratio_low")
    shown = [[row.get(n) for n in names] for row in rows]
    return ["\n## Wins and losses\n", *_table(names, shown)] if shown else []


def top_rewrites(
    data_days: Sequence[str], pairs: pa.Table, decision: Mapping[str, Any], win_loss: Sequence[Mapping[str, Any]]
) -> str:
    """Markdown with the bundle's pairs by status, its layers and its win/loss; strongest pairs first."""
    by_status: dict[str, list[dict[str, Any]]] = {}
    for row in pairs.to_pylist():
        by_status.setdefault(row["status"], []).append(row)
    period = f"Learned from {data_days[0]} to {data_days[-1]}." if data_days else "Learned from no dated log."
    lines = ["# Rewrites of this bundle\n", period, *_pairs("Served rewrites", by_status.get("active", []))]
    for status, title in (("pending", "Waiting for approval"), ("blocked", "Blocked")):
        lines += _pairs(title, by_status[status]) if status in by_status else []
    return "\n".join([*lines, *_layers(decision), *_win_loss(win_loss)]) + "\n"
