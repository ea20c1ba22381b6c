"""Mined pairs with their evidence, and why the others were turned down."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from rewriter.markov.rewrites import WINS
from rewriter.report.tables import count_by
from schemas.tables import PAIR_STATUSES

#: Columns shown of a pair.
_SHOWN = (
    "locale",
    "source",
    "rewrite",
    "p_success_source",
    "p_success_rewrite",
    "lift",
    "lift_lower",
    "share",
    "support_users",
    "support_sessions",
    "certified",
    "status",
    "reason",
)


def _worth(pair: dict[str, Any]) -> tuple[float, int, str, str]:
    """Order of the best pairs: users times the sure part of the lift."""
    return -pair["support_users"] * pair["lift_lower"], -pair["support_users"], pair["source"], pair["rewrite"]


def example(pair: dict[str, Any]) -> str:
    """The evidence of a pair in one sentence or two."""
    users = f"{pair['support_users']:,} users in {pair['support_sessions']:,} sessions"
    if pair["reason"] == WINS:
        p_live = pair["share"] * pair["p_success_rewrite"]
        return f"{users}; “{pair['source']}” was served as “{pair['rewrite']}” and succeeded {p_live:.0%} of the time."
    return (
        f"{users}; of those who got there from "
        f"“{pair['source']}”, {pair['share']:.0%} got there through “{pair['rewrite']}”. Said as it is, it succeeds "
        f"{pair['p_success_source']:.0%} of the time; so rewritten, {pair['p_success_rewrite']:.0%}."
    )


def _shareable(group: list[dict[str, Any]], min_users: int | None) -> dict[str, Any] | None:
    """The group's best pair that so many users asked; None where there is none, or nobody knows how many it takes."""
    return next((row for row in group if min_users is not None and row["support_users"] >= min_users), None)


def pair_numbers(pairs: pa.Table, n_top: int, min_users: int | None = None) -> dict[str, Any]:
    """Pairs by status, the best active ones, and the reasons of the rejected with their counts.

    A reason has an example where ``min_users`` asked it: what fewer people said goes into no page that is passed on.
    """
    rows = pairs.select([n for n in _SHOWN if n in pairs.column_names]).to_pylist()
    active = sorted((r for r in rows if r["status"] == "active"), key=_worth)
    others = sorted((r for r in rows if r["status"] != "active"), key=_worth)
    counted = count_by(pairs.column("status"))
    reasons: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in others:
        reasons.setdefault((row["status"], row["reason"]), []).append(row)
    ranked = sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        "mined": len(rows),
        "by_status": {status: counted.get(status, 0) for status in PAIR_STATUSES},
        "active": [row | {"example": example(row)} for row in active[:n_top]],
        "turned_down": [
            {"status": status, "reason": reason, "n": len(group), "example": _shareable(group, min_users)}
            for (status, reason), group in ranked
        ],
    }
