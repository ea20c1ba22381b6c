"""Mined pairs in memory: one dictionary lookup a request; a pair is read from its row when it is asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa

from rewriter.decision.candidate import Pair
from rewriter.parquet import read_parquet
from schemas.table import conform
from schemas.tables import REWRITE_PAIRS

_COLUMNS = (
    "locale",
    "source",
    "rewrite",
    "p_success_source",
    "p_success_rewrite",
    "share",
    "support_users",
    "status",
    "domain",
    "intent",
)
_KEPT = 4096  # sources whose pairs stay read


def _pairs_of(table: pa.Table, rows: Mapping[tuple[str, str], list[int]], key: tuple[str, str]) -> tuple[Pair, ...]:
    pairs = [Pair(**{name: table[name][row].as_py() for name in _COLUMNS}) for row in rows.get(key, ())]
    return tuple(sorted(pairs, key=lambda p: (p.status != "active", -p.probability, p.rewrite)))


class PairTable:
    """Active pairs, and pending ones that wait for an approval, by ``(locale, source)``; best evidence first.

    Attributes
    ----------
    active_sources
        ``(locale, source)`` of the active pairs.
    """

    def __init__(self, pairs: pa.Table) -> None:
        """Look at a table with the columns of `Pair`."""
        self._table = pairs.combine_chunks()
        keys = zip(*(self._table[name].to_pylist() for name in ("locale", "source")), strict=True)
        self._rows: dict[tuple[str, str], list[int]] = {}
        active = set()
        for row, (key, status) in enumerate(zip(keys, self._table["status"].to_pylist(), strict=True)):
            if status in ("active", "pending"):
                self._rows.setdefault(key, []).append(row)
            if status == "active":
                active.add(key)
        self.active_sources = frozenset(active)
        self._pairs = lru_cache(_KEPT)(partial(_pairs_of, self._table, self._rows))

    @classmethod
    def of_pairs(cls, pairs: Iterable[Pair] = ()) -> PairTable:
        """The table of some pairs."""
        schema = pa.schema([REWRITE_PAIRS.schema.field(name) for name in _COLUMNS])
        return cls(pa.Table.from_pylist([asdict(pair) for pair in pairs], schema=schema))

    @classmethod
    def read(cls, path: Path) -> PairTable:
        """The table `rewrite_pairs` at ``path``, a Parquet file or a folder of them.

        Raises
        ------
        RewriterError
            If there is no such table or it cannot be read.
        ContractError
            Naming every column that breaks the contract.
        """
        return cls(conform(REWRITE_PAIRS, read_parquet(path), str(path)).select(list(_COLUMNS)))

    def __len__(self) -> int:
        """Number of sources."""
        return len(self._rows)

    def of(self, locale: str, source: str, approved: Container[tuple[str, str, str]] = frozenset()) -> tuple[Pair, ...]:
        """Pairs that may be served for a normalised source: active ones, and pending ones that an analyst approved."""
        return tuple(
            p for p in self._pairs((locale, source)) if p.status == "active" or (p.locale, p.source, p.rewrite) in approved
        )
