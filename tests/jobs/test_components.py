"""Labels of components against SciPy's, on chains that need many rounds and on random logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from jobs.components import label_components
from jobs.scratch import scratch_beside


def labels(spark, tmp_path: Path, source: np.ndarray, target: np.ndarray) -> dict[int, int]:
    edges = spark.createDataFrame(pa.table({"source": source.astype(np.int64), "target": target.astype(np.int64)}))
    with scratch_beside(tmp_path / "labels") as scratch:
        rows = label_components(edges, scratch).collect()
    assert len(rows) == len({row["state"] for row in rows})
    return {row["state"]: row["component"] for row in rows}


def reference(source: np.ndarray, target: np.ndarray) -> dict[int, int]:
    known = np.unique(np.concatenate([source, target]))
    i, j = np.searchsorted(known, source), np.searchsorted(known, target)
    _, label = connected_components(sparse.coo_array((np.ones(len(i)), (i, j)), shape=(len(known),) * 2), directed=False)
    least = {k: int(known[label == k].min()) for k in np.unique(label).tolist()}
    return {int(state): least[k] for state, k in zip(known.tolist(), label.tolist(), strict=True)}


@pytest.mark.parametrize(("n", "n_edges"), [(80, 40), (200, 160)])
def test_random_logs_are_labelled_as_scipy_labels_them(spark, tmp_path: Path, n: int, n_edges: int):
    rng = np.random.default_rng(n)
    number = rng.choice(10**6, n, replace=False) - 500_000
    source, target = number[rng.integers(0, n, n_edges)], number[rng.integers(0, n, n_edges)]
    apart = source != target
    expected = reference(source[apart], target[apart])
    assert labels(spark, tmp_path, source[apart], target[apart]) == expected
    assert 5 < len(set(expected.values())) < len(expected) / 2


def test_a_long_path_in_any_order_is_one_component(spark, tmp_path: Path):
    states = np.random.default_rng(1).permutation(70)
    assert set(labels(spark, tmp_path, states[:-1], states[1:]).values()) == {0}
