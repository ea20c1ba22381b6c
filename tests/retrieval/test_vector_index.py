"""FAISS beside brute force: the exact index must equal it, the lists must nearly find what it finds."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rewriter.errors import RewriterError
from rewriter.retrieval import vector_index
from rewriter.retrieval.vector_index import FlatIndex, ListsIndex, Rows, VectorIndex, build_index, load_index

N, DIM = 3000, 48


def brute_force(vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int, rows: Rows) -> NDArray[np.int64]:
    scores = queries @ vectors[rows.first : rows.end].T
    return np.argsort(-scores, axis=1)[:, :k] + rows.first


def recall(found: NDArray[np.int64], expected: NDArray[np.int64]) -> float:
    return float(np.mean([len(set(f) & set(e)) / len(e) for f, e in zip(found, expected, strict=True)]))


@pytest.fixture(scope="module")
def vectors(unit) -> NDArray[np.float32]:
    return unit(N, DIM, 0)


@pytest.fixture(scope="module")
def queries(unit) -> NDArray[np.float32]:
    return unit(50, DIM, 0) + 0.05 * unit(50, DIM, 1)


@pytest.fixture(scope="module")
def lists(vectors) -> VectorIndex:
    return ListsIndex.build(vectors)


@pytest.mark.parametrize("rows", [Rows(0, N), Rows(0, 10), Rows(700, 1900), Rows(N - 1, N)])
def test_the_flat_index_equals_brute_force_in_any_range(vectors, queries, rows: Rows):
    k = min(10, rows.size)
    scores, found = FlatIndex.build(vectors).search(queries, k, rows)
    np.testing.assert_array_equal(found, brute_force(vectors, queries, k, rows))
    np.testing.assert_allclose(scores, np.einsum("nd,nkd->nk", queries, vectors[found]), atol=1e-5)


@pytest.mark.parametrize("rows", [Rows(0, N), Rows(500, 2500), Rows(100, 200), Rows(5, 15)])
def test_the_lists_hold_nearly_what_brute_force_finds_and_never_outside_the_range(lists, vectors, queries, rows: Rows):
    scores, found = lists.search(queries, 10, rows)
    assert recall(found, brute_force(vectors, queries, 10, rows)) >= 0.95
    assert ((found >= rows.first) & (found < rows.end)).all()
    # 8-bit codes move a score a little, never much.
    np.testing.assert_allclose(scores, np.einsum("nd,nkd->nk", queries, vectors[found]), atol=0.02)


@pytest.mark.parametrize("rows", [Rows(0, N), Rows(600, 2400)])
def test_a_tenth_of_the_rows_holds_most_of_what_is_near_if_the_nearest_groups_are_looked_at(unit, monkeypatch, rows: Rows):
    near = unit(60, DIM, 3)[np.arange(N) % 60] + 0.6 * unit(N, DIM, 4)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    index, queries = ListsIndex.build(near.astype(np.float32)), (near[:100] + 0.05 * unit(100, DIM, 5)).astype(np.float32)
    expected = brute_force(near, queries, 10, rows)
    monkeypatch.setattr(vector_index, "SCANNED", rows.size // 10)
    found = recall(index.search(queries, 10, rows)[1], expected)
    monkeypatch.setattr(vector_index, "GROUPS_SHARE", 1)
    one_share = recall(index.search(queries, 10, rows)[1], expected)
    monkeypatch.setattr(vector_index, "SCANNED", rows.size)
    everything = recall(index.search(queries, 10, rows)[1], expected)
    assert everything >= 0.95
    assert found >= 0.95
    assert one_share < found - 0.03


def test_a_small_range_of_the_lists_is_scanned_whole(lists, vectors, queries):
    rows = Rows(100, 200)  # a thirtieth
    found = lists.search(queries, 10, rows)[1]
    kept = lists.vectors(range(rows.first, rows.end))
    exact = rows.first + np.argsort(-(queries @ kept.T), axis=1, kind="stable")[:, :10]
    assert recall(found, exact) >= 0.999


def test_more_bits_keep_the_scores_nearer_to_exact_ones(vectors, queries):
    errors = {}
    for bits in (8, 16):
        scores, found = ListsIndex.build(vectors, bits=bits).search(queries, 10, Rows(0, N))
        errors[bits] = np.abs(scores - np.einsum("nd,nkd->nk", queries, vectors[found])).max()
    assert errors[16] < errors[8] / 4


def test_size_decides_between_exact_search_and_lists(vectors):
    assert build_index(vectors[:100], flat_limit=100).kind == "flat"
    assert build_index(vectors[:101], flat_limit=100).kind == "lists"


@pytest.mark.parametrize("kind", [FlatIndex, ListsIndex])
def test_the_same_vectors_give_the_same_bytes_whatever_the_threads(kind, vectors, tmp_path: Path):
    import faiss

    before = faiss.omp_get_max_threads()
    for name, threads in (("a", 1), ("b", 4)):
        faiss.omp_set_num_threads(threads)
        kind.build(vectors[:800]).save(tmp_path / name)
    faiss.omp_set_num_threads(before)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ["flat", "lists"])
def test_a_saved_index_answers_as_before(kind: str, vectors, queries, tmp_path: Path):
    index = build_index(vectors, flat_limit=N if kind == "flat" else 0)
    index.save(tmp_path / "i")
    again = load_index(tmp_path / "i", kind)
    for got, expected in zip(again.search(queries, 5, Rows(0, N)), index.search(queries, 5, Rows(0, N)), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_file_that_is_no_index_is_named(tmp_path: Path):
    (tmp_path / "broken").write_bytes(b"not an index")
    with pytest.raises(RewriterError, match="broken: not a readable index"):
        load_index(tmp_path / "broken", "flat")
    with pytest.raises(RewriterError, match="unknown kind of index 'tree'"):
        load_index(tmp_path / "broken", "tree")
