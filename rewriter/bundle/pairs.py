"""The pairs of a bundle: what operators decided is applied, what may not be served is marked, the order is fixed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.bundle.controls import Controls
from rewriter.parquet import read_parquet
from schemas.table import ContractError, conform
from schemas.tables import PAIR_STATUSES, REWRITE_PAIRS

#: Statuses a bundle keeps; rejected and expired pairs stay in the warehouse, where `rewriter explain` finds them.
KEPT = ("active", "pending", "blocked")


def read_pairs(path: Path) -> pa.Table:
    """The mined pairs of a table's folder or file.

    Raises
    ------
    RewriterError
        If it cannot be read.
    ContractError
        Naming every column that breaks the contract and every unknown status.
    """
    pairs = conform(REWRITE_PAIRS, read_parquet(path), str(path))
    if unknown := sorted(set(pairs["status"].to_pylist()) - set(PAIR_STATUSES)):
        raise ContractError(f"table 'rewrite_pairs' in {path}: status is {unknown}, expected {', '.join(PAIR_STATUSES)}")
    return pairs


@dataclass(frozen=True)
class _Ruling:
    """What controls and the approval setting say about a pair."""

    controls: Controls
    approval: bool

    def of(self, row: dict[str, Any]) -> dict[str, Any]:
        # What was turned down enters no bundle, with its evidence, because somebody blocks it: the block holds without it.
        if row["status"] not in KEPT:
            return row
        key = (row["locale"], row["source"], row["rewrite"])
        if self.controls.is_blocked(*key):
            return row | {"status": "blocked", "reason": f"blocked: {self.controls.reason(*key) or 'no reason given'}"}
        if row["status"] not in ("active", "pending"):
            return row
        if self.controls.is_approved(*key):
            return row | {"status": "active"}
        if self.approval and row["status"] == "active":
            return row | {"status": "pending", "reason": f"waits for approval; {row['reason']}"}
        return row


def _unchained(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without active pairs that lead to a request which is itself rewritten: no chains, no cycles."""
    sources = {(r["locale"], r["source"]) for r in rows if r["status"] == "active"}
    return [r for r in rows if r["status"] != "active" or (r["locale"], r["rewrite"]) not in sources]


def _require_one_rewrite(rows: list[dict[str, Any]]) -> None:
    """Return if no request has two active rewrites and no pair rewrites to itself."""
    counts = Counter((r["locale"], r["source"]) for r in rows if r["status"] == "active")
    faults = [f"'{s}' ({locale}) has {n} active rewrites" for (locale, s), n in sorted(counts.items()) if n > 1]
    faults += [f"'{r['source']}' ({r['locale']}) is rewritten to itself" for r in rows if r["source"] == r["rewrite"]]
    if faults:
        raise ContractError("table 'rewrite_pairs': " + "; ".join(faults[:20]))


def bundle_pairs(pairs: pa.Table, controls: Controls, *, approval: bool) -> pa.Table:
    """The pairs as the bundle holds them, by locale, source and rewrite.

    Blocked pairs have the status ``blocked``; with ``approval`` those nobody approved are ``pending``. Neither is served.

    Raises
    ------
    ContractError
        If a request has two active rewrites, or a pair rewrites a request to itself.
    """
    ruling = _Ruling(controls, approval)
    rows = [ruled for row in pairs.to_pylist() if (ruled := ruling.of(row))["status"] in KEPT]
    rows.sort(key=lambda r: (r["locale"], r["source"], r["rewrite"]))
    _require_one_rewrite(rows)
    return pa.Table.from_pylist(_unchained(rows), schema=REWRITE_PAIRS.schema)


def pairs_bytes(pairs: pa.Table) -> bytes:
    """The Parquet file of the pairs; the same pairs give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(pairs, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data
