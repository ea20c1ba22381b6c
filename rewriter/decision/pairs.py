"""Mined pairs in memory: one dictionary lookup a request."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

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


class PairTable:
    """Active pairs, and pending ones that wait for an approval, by ``(locale, source)``; best evidence first."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self._pairs: dict[tuple[str, str], tuple[Pair, ...]] = {}
        for pair in sorted(pairs, key=lambda p: (p.status != "active", -p.probability, p.rewrite)):
            if pair.status in ("active", "pending"):
                key = (pair.locale, pair.source)
                self._pairs[key] = (*self._pairs.get(key, ()), pair)

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
        rows = conform(REWRITE_PAIRS, read_parquet(path), str(path)).select(list(_COLUMNS)).to_pylist()
        return cls(Pair(**row) for row in rows)

    def __len__(self) -> int:
        """Number of sources."""
        return len(self._pairs)

    def __iter__(self) -> Iterator[Pair]:
        for pairs in self._pairs.values():
            yield from pairs

    @property
    def active_sources(self) -> frozenset[tuple[str, str]]:
        """``(locale, source)`` of the active pairs."""
        return frozenset(key for key, pairs in self._pairs.items() if pairs[0].status == "active")

    def of(self, locale: str, source: str, approved: Container[tuple[str, str, str]] = frozenset()) -> tuple[Pair, ...]:
        """Pairs that may be served for a normalised source: active ones, and pending ones that an analyst approved."""
        return tuple(
            p
            for p in self._pairs.get((locale, source), ())
            if p.status == "active" or (p.locale, p.source, p.rewrite) in approved
        )
