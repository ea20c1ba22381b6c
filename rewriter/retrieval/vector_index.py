"""FAISS indexes over normalised vectors: exact while small, lists of codes when large."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval.centres import quantizer_of

faiss: Any = _faiss  # its bundled stubs lag behind its parameters

#: Vectors a list; of those nearest to a query as many lists are scanned as should hold SCANNED rows of the range asked for.
LIST_SIZE = 128
SCANNED = 80_000
#: Those lists are looked for in this many times their share of the groups of centres: the nearest lie in several.
GROUPS_SHARE = 12
#: Of these the likeliest by 4-bit codes are scored again by 8 or 16 bits a dimension; for the recall see benchmarks/serving.
REFINED = 400
#: A smaller share of all rows is scanned directly: most of the lists would be, for few of their rows.
DIRECT_SHARE = 0.05
_CODES = 16  # of 4 bits; fewer vectors cannot place them
_KINDS_OF_BITS = {8: faiss.ScalarQuantizer.QT_8bit, 16: faiss.ScalarQuantizer.QT_fp16}


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


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS in one thread: sums change with their number, and for one query a team of them costs more than it saves."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


class _FaissIndex:
    kind: str

    def __init__(self, index: Any) -> None:
        self._index = index
        self.dim: int = index.d
        self.size: int = index.ntotal

    def _result(
        self, queries: NDArray[np.float32], k: int, params: Any = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        with _one_thread():
            scores, found = self._index.search(queries, k, params=params)
        return scores, found

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `VectorIndex.vectors`."""
        kept: NDArray[np.float32] = self._index.reconstruct_batch(np.asarray(rows, np.int64))
        return kept

    def save(self, file: Path) -> None:
        """Write the index to one file."""
        faiss.write_index(self._index, str(file))


def _part(n: int, share: float) -> int:
    """At least so large a share of ``n``, at most all."""
    return min(n, math.ceil(share * n))


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


class ListsIndex(_FaissIndex):
    """Approximate search: lists of vectors by their nearest centre, scanned by 4-bit codes, the best scored by longer ones.

    References
    ----------
    Jegou, Douze and Schmid 2011, *Product quantization for nearest neighbor search*, section 4: the inverted file; Andre,
    Kermarrec and Le Scouarnec 2015, *Cache locality is not enough*, section 4: scanning codes of 4 bits in registers.
    """

    kind = "lists"

    @classmethod
    def build(cls, vectors: NDArray[np.float32], per_code: int = 4, bits: int = 8) -> ListsIndex:
        """An index of the vectors (n, dim), built by one thread.

        ``per_code`` dimensions share a 4-bit code; the vectors are kept with 8 or 16 ``bits`` a dimension.
        """
        dim = vectors.shape[1]
        n_codes = next(m for m in range(max(1, dim // per_code), 0, -1) if dim % m == 0)
        with _one_thread():
            centres = quantizer_of(vectors, max(1, len(vectors) // LIST_SIZE))
            lists = faiss.IndexIVFPQFastScan(centres, dim, centres.ntotal, n_codes, 4, faiss.METRIC_INNER_PRODUCT)
            codes = faiss.IndexScalarQuantizer(dim, _KINDS_OF_BITS[bits], faiss.METRIC_INNER_PRODUCT)
            index = faiss.IndexRefine(lists, codes)
            index.train(vectors)
            index.add(vectors)
        return cls(index)

    def search(self, queries: NDArray[np.float32], k: int, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `VectorIndex.search`. The smaller the range of rows, the more lists are scanned for it, and at last none."""
        if rows.size <= DIRECT_SHARE * self.size:
            within = faiss.SearchParameters(sel=faiss.IDSelectorRange(rows.first, rows.end, True))
            with _one_thread():
                scores, found = faiss.downcast_index(self._index.refine_index).search(queries, k, params=within)
            return scores, found
        lists = faiss.downcast_index(self._index.base_index)
        share = min(1.0, SCANNED / max(rows.size, 1))
        near = faiss.SearchParametersIVF(nprobe=_part(faiss.downcast_index(lists.quantizer).nlist, GROUPS_SHARE * share))
        within = None if rows.size == self.size else faiss.IDSelectorRange(rows.first, rows.end)
        scan = faiss.SearchParametersIVF(nprobe=_part(lists.nlist, share), sel=within, quantizer_params=near)
        return self._result(
            queries, k, faiss.IndexRefineSearchParameters(k_factor=max(1.0, REFINED / k), base_index_params=scan)
        )


def build_index(vectors: NDArray[np.float32], flat_limit: int, per_code: int = 4, bits: int = 8) -> VectorIndex:
    """Exact up to ``flat_limit`` vectors, else lists (see `ListsIndex.build`). Row i of ``vectors`` (n, dim) is row i."""
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if len(vectors) <= max(flat_limit, _CODES):
        return FlatIndex.build(vectors)
    return ListsIndex.build(vectors, per_code, bits)


def load_index(file: Path, kind: str) -> VectorIndex:
    """The index of a file.

    Raises
    ------
    RewriterError
        Naming the file, if it cannot be read as an index, or the kind, if it is unknown.
    """
    kinds = {cls.kind: cls for cls in (FlatIndex, ListsIndex)}
    if kind not in kinds:
        raise RewriterError(f"{file}: unknown kind of index '{kind}', expected one of {', '.join(sorted(kinds))}")
    try:
        # Mapped, not read: several servers share the pages, and those that verification read are not read again.
        return kinds[kind](faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC))
    except RuntimeError as error:  # FAISS raises nothing narrower
        raise RewriterError(f"{file}: not a readable index ({str(error).splitlines()[0]})") from error
