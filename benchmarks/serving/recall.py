"""How much of an exact search the indexes find, and in what time; the exact answers are kept in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.world import LOCALE
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.global_index import LETTERS, VECTORS, GlobalIndex
from rewriter.retrieval.sketch import sketch
from rewriter.retrieval.vector_index import load_index

K = 10
_BLOCK = 50_000
Floats = NDArray[np.float32]


def exact(queries: Floats, n: int, vectors_of: Callable[[slice], Floats]) -> NDArray[np.int64]:
    """Rows (q, K) of the greatest inner products with the queries (q, dim) among n vectors, read block by block."""
    scores, rows = np.full((len(queries), K), -np.inf, np.float32), np.zeros((len(queries), K), np.int64)
    for start in range(0, n, _BLOCK):
        block = queries @ vectors_of(slice(start, start + _BLOCK)).T
        both = np.concatenate([scores, block], axis=1)
        best = np.argsort(-both, axis=1, kind="stable")[:, :K]
        where = np.concatenate([rows, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)], axis=1)
        scores, rows = np.take_along_axis(both, best, 1), np.take_along_axis(where, best, 1)
    return rows


def _searched(file: Path, kind: str, queries: Floats, expected: NDArray[np.int64], index: GlobalIndex) -> dict[str, Any]:
    found_in, rows, times, hits = load_index(file, kind), index.entries.rows[LOCALE], [], 0
    for query, best in zip(queries, expected, strict=True):
        began = time.perf_counter()
        _, found = found_in.search(query[None], K, rows)
        times.append(time.perf_counter() - began)
        hits += len(set(found[0].tolist()) & set(best.tolist()))
    return {"recall_at_10": hits / expected.size, "n": len(queries), "median_ms": 1e3 * float(np.median(times))}


def recall(bundle: Path, texts: Sequence[str], vectors: Floats, file: Path) -> dict[str, Any]:
    """Recall@10 of both indexes against an exact search over the float vectors, by the requests' texts."""
    index = GlobalIndex.load(bundle / "global")
    queries = {"meaning": OnnxEncoder(bundle / "encoder").encode(texts), "letters": sketch(texts)}
    if not file.exists():
        words = index.entries.table.column("utterance")
        sources = {"meaning": lambda rows: vectors[rows], "letters": lambda rows: sketch(words[rows].to_pylist())}
        np.savez(file, allow_pickle=False, **{name: exact(queries[name], len(index), sources[name]) for name in queries})
    best = np.load(file)
    files = {"meaning": VECTORS, "letters": LETTERS}
    return {
        name: _searched(bundle / "global" / files[name], index.kind, queries[name], best[name], index) for name in queries
    }
