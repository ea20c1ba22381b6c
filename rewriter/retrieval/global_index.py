"""The global index: what many users ask with success, found by meaning and by letters; one index for all locales."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.contexts import Contexts
from rewriter.retrieval.entries import Entry, Hit
from rewriter.retrieval.entry_table import EntryTable, entities_of, order_of
from rewriter.retrieval.sketch import sketch
from rewriter.retrieval.vector_index import VectorIndex, build_index, load_index

__all__ = ["Entry", "GlobalIndex", "Hit"]

ENTRIES, ENTITIES, VECTORS, LETTERS, CARD = (
    "entries.arrow",
    "entities.json",
    "index.faiss",
    "letters.faiss",
    "global.json",
)

#: Dimensions of a sketch that share a 4-bit code: they are independent, so a code tells less of each than of a vector's.
_PER_CODE = 2
#: Bits that a dimension of a sketch is kept with: grams are counted, so many entries are nearly as alike as others.
_BITS = 16


class GlobalIndex:
    """Entries, their vectors and the sketches of their letters; row i of the table is row i of both indexes.

    Attributes
    ----------
    entities
        Name of a slot -> its normalised values in the entries.
    contexts
        What people ask in which context.
    """

    def __init__(
        self,
        entries: EntryTable,
        entities: Mapping[str, list[str]],
        index: VectorIndex,
        letters: VectorIndex | None = None,
        encoder_version: str = "",
        contexts: Contexts | None = None,
    ) -> None:
        """Join them; without ``letters`` nothing is found by letters.

        Raises
        ------
        RewriterError
            If there are not as many entries as vectors or sketches.
        """
        for name, part in (("vectors", index), ("sketches", letters)):
            if part is not None and len(entries) != part.size:
                raise RewriterError(f"global index: {len(entries)} entries but {part.size} {name}")
        self.entries, self.entities, self.encoder_version = entries, entities, encoder_version
        self.contexts = contexts or Contexts()
        self._index, self._letters = index, letters

    def __len__(self) -> int:
        return self._index.size

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self._index.dim

    @property
    def kind(self) -> str:
        """``flat`` or ``lists``."""
        return self._index.kind

    @property
    def locales(self) -> tuple[str, ...]:
        """Locales with at least one entry, sorted."""
        return tuple(sorted(self.entries.rows))

    @classmethod
    def build(
        cls,
        entries: pa.Table,
        vectors: NDArray[np.float32],
        flat_limit: int,
        encoder_version: str = "",
        *,
        letters: bool = True,
        contexts: Contexts | None = None,
    ) -> GlobalIndex:
        """An index of the entries and their normalised vectors (n, dim), in any order."""
        if len(vectors) != len(entries):
            raise RewriterError(f"global index: {len(entries)} entries but {len(vectors)} vectors")
        order = order_of(entries)
        if (np.diff(order) != 1).any():
            entries, vectors = entries.take(order), vectors[order]
        table = EntryTable(entries)
        sketches = sketch(entries.column("utterance").to_pylist()) if letters else None
        return cls(
            table,
            entities_of(table.table),
            build_index(vectors, flat_limit),
            None if sketches is None else build_index(sketches, flat_limit, _PER_CODE, _BITS),
            encoder_version,
            contexts,
        )

    @classmethod
    def load(cls, folder: Path | str) -> GlobalIndex:
        """The index of a folder that `save` wrote; its files are mapped, not copied.

        Raises
        ------
        RewriterError
            Naming the file that is missing or broken.
        """
        folder = Path(folder)
        try:
            card = json.loads((folder / CARD).read_text("utf-8"))
            entities = json.loads((folder / ENTITIES).read_text("utf-8"))
            entries = pa.ipc.open_file(pa.memory_map(str(folder / ENTRIES))).read_all()
            kind, letters = str(card["kind"]), card["letters"]
            index = load_index(folder / VECTORS, kind)
            sketches = load_index(folder / LETTERS, kind) if letters else None
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowInvalid) as error:
            raise RewriterError(f"global index {folder}: cannot be read ({error})") from error
        return cls(EntryTable(entries), entities, index, sketches, str(card.get("encoder", "")), Contexts.load(folder))

    def save(self, folder: Path) -> None:
        """Write the table, the entities, the contexts, both indexes (``letters.faiss`` only if any) and ``global.json``."""
        table = self.entries.table
        with pa.OSFile(str(folder / ENTRIES), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        (folder / ENTITIES).write_text(json.dumps(self.entities, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
        self.contexts.save(folder)
        self._index.save(folder / VECTORS)
        if self._letters is not None:
            self._letters.save(folder / LETTERS)
        card = {"dim": self.dim, "encoder": self.encoder_version, "kind": self.kind, "n": len(self)}
        locales = {locale: rows.size for locale, rows in self.entries.rows.items()}
        card |= {"letters": self._letters is not None, "locales": locales}
        (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", "utf-8")

    def find(self, locale: str, utterance: str) -> Entry | None:
        """Everybody's statistics of a normalised wording; None if it is not in the index."""
        return self.entries.find(locale, utterance)

    def search(self, vectors: NDArray[np.float32], k: int, locale: str) -> list[list[Hit]]:
        """For each query of ``vectors`` (n, dim) its best ``k`` entries of the locale, best first; none of another."""
        rows = self.entries.rows.get(locale)
        if rows is None or k < 1:
            return [[] for _ in vectors]
        queries = np.ascontiguousarray(vectors, dtype=np.float32)
        scores, found = self._index.search(queries, min(k, rows.size), rows)
        return [self._hits(s, f) for s, f in zip(scores, found, strict=True)]

    def alike(self, text: str, vector: NDArray[np.float32], k: int, locale: str) -> list[Hit]:
        """The ``k`` entries of the locale whose letters and sounds are most like a normalised text's, best first.

        Their score is that of `search`: the inner product of their vector and the query's (dim,). None are found in an
        index without letters.
        """
        rows = self.entries.rows.get(locale)
        if rows is None or self._letters is None or k < 1:
            return []
        found = self._letters.search(sketch([text]), min(k, rows.size), rows)[1][0]
        found = found[found >= 0]
        return self._hits((self._index.vectors(found) @ vector).tolist(), found)

    def _hits(self, scores: Sequence[float], found: Sequence[int]) -> list[Hit]:
        pairs = zip(scores, found, strict=True)
        return [Hit(self.entries.entry(int(row)), float(score)) for score, row in pairs if row >= 0]
