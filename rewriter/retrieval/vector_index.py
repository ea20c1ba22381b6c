"""FAISS indexes over normalised vectors: exact while small, HNSW over 8-bit codes when large."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from rewriter.errors import RewriterError

faiss: Any = _faiss  # its bundled stubs lag behind its parameters

LINKS = 32  # neighbours a node keeps: the usual choice for a few hundred dimensions
EF_BUILD = 80
EF_SEARCH = 96  # recall@10 of 0.98 and more on request embeddings, see tests and benchmarks
GRAPH_SHARE = 0.1  # a smaller part of the graph is scanned instead: few of the visited nodes would be in it


class Rows(NamedTuple):
    """A range of rows of an index, ``first`` included, ``end`` not."""

    first: int
    end: int

    @property
    def size(self) -> int:
        """How many rows the range holds."""
        return self.end - self.first


class VectorIndex(Protocol):
    """Finds the rows of largest inner product with a query."""

    kind: str
    dim: int
    size: int

    def search(self, queries: NDArray[np.float32], k: int, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and row numbers, each (n, k), best first, of rows in the range; -1 where fewer were found."""
        ...

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The vectors (n, dim) of n rows, as the index keeps them."""
        ...

    def save(self, file: Path) -> None:
        """Write the index to one file; the same vectors give the same bytes."""
        ...


class _FaissIndex:
    kind: str

    def __init__(self, index: Any) -> None:
        self._index = index
        self.dim: int = index.d
        self.size: int = index.ntotal

    def _result(
        self, queries: NDArray[np.float32], k: int, params: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores, found = self._index.search(queries, k, params=params)
        return scores, found

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `VectorIndex.vectors`."""
        kept: NDArray[np.float32] = self._index.reconstruct_batch(np.asarray(rows, np.int64))
        return kept

    def save(self, file: Path) -> None:
        """Write the index to one file."""
        faiss.write_index(self._index, str(file))


class FlatIndex(_FaissIndex):
    """Exact search over float32 vectors."""

    kind = "flat"

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> FlatIndex:
        """An exact index of the vectors (n, dim)."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return cls(index)

    def search(self, queries: NDArray[np.float32], k: int, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `VectorIndex.search`."""
        if rows.size == self.size:
            return self._result(queries, k)
        within = faiss.IDSelectorRange(rows.first, rows.end, True)
        return self._result(queries, k, faiss.SearchParameters(sel=within))


class HnswIndex(_FaissIndex):
    """Approximate search: a navigable graph (HNSW) over vectors of 8 bits a dimension.

    References
    ----------
    Malkov and Yashunin 2018, *Efficient and robust approximate nearest neighbor search using HNSW graphs*, section 4.
    """

    kind = "hnsw"

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> HnswIndex:
        """A graph of the vectors (n, dim), built by one thread, since the order of insertion shapes the graph."""
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            index = faiss.IndexHNSWSQ(vectors.shape[1], faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = EF_BUILD
            index.train(vectors)
            index.add(vectors)
        finally:
            faiss.omp_set_num_threads(threads)
        return cls(index)

    def search(self, queries: NDArray[np.float32], k: int, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `VectorIndex.search`. A small range of rows is scanned whole, because the graph would miss most of it."""
        effort = max(EF_SEARCH, 2 * k)
        if rows.size == self.size:
            return self._result(queries, k, faiss.SearchParametersHNSW(efSearch=effort))
        within = faiss.IDSelectorRange(rows.first, rows.end, True)
        if rows.size < GRAPH_SHARE * self.size:
            codes = faiss.downcast_index(self._index.storage)
            scores, found = codes.search(queries, k, params=faiss.SearchParameters(sel=within))
            return scores, found
        params = faiss.SearchParametersHNSW(sel=within, efSearch=effort)
        return self._result(queries, k, params)


def build_index(vectors: NDArray[np.float32], flat_limit: int) -> VectorIndex:
    """Exact up to ``flat_limit`` vectors, else a graph over 8-bit codes. Row i of ``vectors`` (n, dim) is row i."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    return FlatIndex.build(vectors) if len(vectors) <= flat_limit else HnswIndex.build(vectors)


def load_index(file: Path, kind: str) -> VectorIndex:
    """The index of a file.

    Raises
    ------
    RewriterError
        Naming the file, if it cannot be read as an index, or the kind, if it is unknown.
    """
    kinds = {cls.kind: cls for cls in (FlatIndex, HnswIndex)}
    if kind not in kinds:
        raise RewriterError(f"{file}: unknown kind of index '{kind}', expected one of {', '.join(sorted(kinds))}")
    try:
        return kinds[kind](faiss.read_index(str(file)))
    except RuntimeError as error:  # FAISS raises nothing narrower
        raise RewriterError(f"{file}: not a readable index ({str(error).splitlines()[0]})") from error
