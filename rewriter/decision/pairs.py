"""Mined pairs in memory: one dictionary lookup a request."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rewriter.decision.candidate import Pair
from rewriter.errors import RewriterError
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
        path = Path(path)
        files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
        try:
            # A ParquetFile, unlike a dataset, does without importing pandas: half a second of a server's start.
            tables = [conform(REWRITE_PAIRS, pq.ParquetFile(file).read(), str(file)) for file in files]
        except (OSError, pa.ArrowInvalid) as error:
            raise RewriterError(f"pairs {path}: cannot be read ({str(error).splitlines()[0]})") from error
        if not tables:
            raise RewriterError(f"pairs {path}: no Parquet file")
        rows = pa.concat_tables(tables).select(list(_COLUMNS)).to_pylist()
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
