"""The rows of the global index: sorted by locale and text, read from the columns' own bytes; nothing is built at start."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.columns import Maps, Texts
from rewriter.retrieval.entries import Entry
from rewriter.retrieval.vector_index import Rows
from rewriter.text import normalise
from schemas.table import conform
from schemas.tables import INDEX_ENTRIES

_KEPT = 1 << 16  # entries, about 40 MB
_ORDER = [("locale", "ascending"), ("utterance", "ascending")]


def order_of(entries: pa.Table) -> NDArray[np.int64]:
    """Row numbers (n,) of ``index_entries`` in the order that an `EntryTable` wants; equal rows keep theirs."""
    order: NDArray[np.int64] = pc.sort_indices(entries, _ORDER).to_numpy().astype(np.int64)
    return order


def _locale_rows(locales: pa.Array) -> dict[str, Rows]:
    """The range of rows of each locale.

    Raises
    ------
    RewriterError
        If the rows of one do not lie together.
    """
    rows: dict[str, Rows] = {}
    runs = pc.run_end_encode(locales)
    first = 0
    for locale, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        if locale in rows:
            raise RewriterError(f"index_entries: rows of locale '{locale}' do not lie together")
        rows[locale] = Rows(first, end)
        first = end
    return rows


def _integers(column: pa.Array) -> NDArray[np.int64]:
    """Values of a column of 64 bits without nulls, in place; Arrow's own way to NumPy would import pandas."""
    return np.frombuffer(column.buffers()[1] or b"", np.int64)[column.offset : column.offset + len(column)]


def _entry_of(texts: Sequence[Texts], numbers: Sequence[NDArray[np.int64]], slots: Maps, row: int) -> Entry:
    utterance, locale, domain, intent = (column[row] for column in texts)
    n_success, n_defect, n_users, last_seen = (int(column[row]) for column in numbers)
    return Entry(str(utterance), str(locale), domain, intent, slots[row], n_success, n_defect, n_users, last_seen / 1e6)


class EntryTable:
    """Entries by row, and rows by wording."""

    def __init__(self, entries: pa.Table) -> None:
        """Look at a table of ``index_entries`` in the order of `order_of`.

        Raises
        ------
        ContractError
            Naming every column that breaks the contract.
        RewriterError
            If the rows of one locale do not lie together.
        """
        self.table = conform(INDEX_ENTRIES, entries).combine_chunks()
        columns = {name: self._array(name) for name in self.table.column_names}
        self.rows = _locale_rows(columns["locale"]) if len(self) else {}
        texts = [Texts(columns[name]) for name in ("utterance", "locale", "domain", "intent")]
        numbers = [_integers(columns[name]) for name in ("n_success", "n_defect", "n_users", "last_seen")]
        self._utterances = texts[0]
        # The cache must not hold the table: a bundle that is swapped out goes when the last request leaves it.
        self._entry = lru_cache(_KEPT)(partial(_entry_of, texts, numbers, Maps(columns["slots"])))

    def _array(self, name: str) -> pa.Array:
        chunked = self.table.column(name)
        if chunked.num_chunks > 1:
            raise RewriterError(f"index_entries: column '{name}' is too large for one piece")
        return chunked.chunk(0) if chunked.num_chunks else pa.array([], chunked.type)

    def __len__(self) -> int:
        rows: int = self.table.num_rows
        return rows

    def entry(self, row: int) -> Entry:
        """The entry of a row; those asked for of late are kept, since few requests make most of the traffic."""
        return self._entry(row)

    def find(self, locale: str, utterance: str) -> Entry | None:
        """The entry of a normalised wording; None if there is none."""
        rows = self.rows.get(locale)
        if rows is None:
            return None
        wanted, bytes_of = utterance.encode("utf-8", "surrogatepass"), self._utterances.bytes_of
        row = rows.first + bisect_left(range(rows.first, rows.end), wanted, key=bytes_of)
        return self.entry(row) if row < rows.end and bytes_of(row) == wanted else None


def entities_of(entries: pa.Table) -> dict[str, list[str]]:
    """Every slot value of ``index_entries``: name of the slot -> normalised values, both sorted."""
    slots = entries.column("slots").combine_chunks()
    values: dict[str, set[str]] = {}
    if len(entries) and len(slots.keys):
        distinct = pa.table({"slot": slots.keys, "value": slots.items}).group_by(["slot", "value"]).aggregate([])
        for slot, value in zip(*(distinct.column(name).to_pylist() for name in ("slot", "value")), strict=True):
            if text := normalise(value or ""):
                values.setdefault(slot, set()).add(text)
    return {slot: sorted(texts) for slot, texts in sorted(values.items())}
