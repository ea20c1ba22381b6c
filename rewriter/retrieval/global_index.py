"""The global index: what many users ask with success, found by meaning and by letters; one index for all locales."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry, Hit, entry_of
from rewriter.retrieval.sketch import sketch
from rewriter.retrieval.vector_index import Rows, VectorIndex, build_index, load_index
from schemas.table import conform
from schemas.tables import INDEX_ENTRIES

__all__ = ["Entry", "GlobalIndex", "Hit"]

ENTRIES, VECTORS, LETTERS, CARD = "entries.parquet", "index.faiss", "letters.faiss", "global.json"
_KEPT = 1 << 16  # entries, about 40 MB


def _locale_rows(locales: pa.ChunkedArray) -> dict[str, Rows]:
    """The range of rows of each locale; rows of one locale lie together."""
    rows: dict[str, Rows] = {}
    runs = pc.run_end_encode(locales.combine_chunks())
    first = 0
    for locale, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        if locale in rows:
            raise RewriterError(f"index_entries: rows of locale '{locale}' do not lie together")
        rows[locale] = Rows(first, end)
        first = end
    return rows


class GlobalIndex:
    """Entries, their vectors and the sketches of their letters; row i of the table is row i of both indexes."""

    def __init__(self, entries: pa.Table, index: VectorIndex, letters: VectorIndex, encoder_version: str = "") -> None:
        """Join them.

        Raises
        ------
        RewriterError
            If there are not as many entries as vectors or sketches, or a locale's rows are scattered.
        """
        for name, part in (("vectors", index), ("sketches", letters)):
            if entries.num_rows != part.size:
                raise RewriterError(f"global index: {entries.num_rows} entries but {part.size} {name}")
        self.entries = conform(INDEX_ENTRIES, entries).combine_chunks()
        self.encoder_version = encoder_version
        self._index, self._letters = index, letters
        self._entry = lru_cache(_KEPT)(self._read)
        self._rows = _locale_rows(self.entries.column("locale")) if entries.num_rows else {}

    def __len__(self) -> int:
        return self._index.size

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self._index.dim

    @property
    def kind(self) -> str:
        """``flat`` or ``hnsw``."""
        return self._index.kind

    @property
    def locales(self) -> tuple[str, ...]:
        """Locales with at least one entry, sorted."""
        return tuple(sorted(self._rows))

    @classmethod
    def build(
        cls, entries: pa.Table, vectors: NDArray[np.float32], flat_limit: int, encoder_version: str = ""
    ) -> GlobalIndex:
        """An index of the entries (sorted by locale) and their normalised vectors (n, dim)."""
        index = build_index(vectors, flat_limit)  # first, since it may refuse the vectors
        letters = build_index(sketch(entries.column("utterance").to_pylist()), flat_limit)
        return cls(entries, index, letters, encoder_version)

    @classmethod
    def load(cls, folder: Path | str) -> GlobalIndex:
        """The index of a folder that `save` wrote.

        Raises
        ------
        RewriterError
            Naming the file that is missing or broken.
        """
        folder = Path(folder)
        try:
            card = json.loads((folder / CARD).read_text("utf-8"))
            entries = pq.ParquetFile(folder / ENTRIES).read()
            index, letters = (load_index(folder / name, str(card["kind"])) for name in (VECTORS, LETTERS))
        except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
            raise RewriterError(f"global index {folder}: cannot be read ({error})") from error
        return cls(entries, index, letters, str(card.get("encoder", "")))

    def save(self, folder: Path) -> None:
        """Write ``entries.parquet``, ``index.faiss``, ``letters.faiss`` and ``global.json`` into the folder."""
        pq.write_table(self.entries, folder / ENTRIES, compression="zstd")
        self._index.save(folder / VECTORS)
        self._letters.save(folder / LETTERS)
        card = {"dim": self.dim, "encoder": self.encoder_version, "kind": self.kind, "n": len(self)}
        (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", "utf-8")

    def entry(self, row: int) -> Entry:
        """The entry of a row; those asked for of late are kept, since few requests make most of the traffic."""
        return self._entry(row)

    def _read(self, row: int) -> Entry:
        return entry_of({name: self.entries.column(name)[row].as_py() for name in self.entries.column_names})

    def search(self, vectors: NDArray[np.float32], k: int, locale: str) -> list[list[Hit]]:
        """For each query of ``vectors`` (n, dim) its best ``k`` entries of the locale, best first; none of another."""
        rows = self._rows.get(locale)
        if rows is None or k < 1:
            return [[] for _ in vectors]
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        scores, found = self._index.search(queries, min(k, rows.size), rows)
        return [self._hits(s, f) for s, f in zip(scores, found, strict=True)]

    def alike(self, text: str, vector: NDArray[np.float32], k: int, locale: str) -> list[Hit]:
        """The ``k`` entries of the locale whose letters and sounds are most like a normalised text's, best first.

        Their score is that of `search`: the inner product of their vector and the query's (dim,).
        """
        rows = self._rows.get(locale)
        if rows is None or k < 1:
            return []
        found = self._letters.search(sketch([text]), min(k, rows.size), rows)[1][0]
        found = found[found >= 0]
        return self._hits((self._index.vectors(found) @ vector).tolist(), found)

    def _hits(self, scores: Sequence[float], found: Sequence[int]) -> list[Hit]:
        return [Hit(self.entry(int(row)), float(score)) for score, row in zip(scores, found, strict=True) if row >= 0]
