"""Every way of solving gives the same rows: in one process, packed into tasks, and a giant component broadcast."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from jobs.chain_problem import Problem, Solution
from jobs.scratch import scratch_beside
from jobs.solve_chain import solve_chain
from jobs.solve_tasks import pack
from rewriter.settings import Mine

HERE = Mine()
PACKED = dataclasses.replace(HERE, max_driver_edges=1, edges_per_task=25)
GIANT = dataclasses.replace(PACKED, max_component_edges=20)


def random_log(seed: int) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Edges, ends and candidates of some components, one larger than the others; a trapped pair; a lone state."""
    rng = np.random.default_rng(seed)
    number = np.sort(rng.choice(10**6, 100, replace=False)) - 500_000
    parts = [np.arange(0, 40), *(np.arange(k, k + 7) for k in range(40, 96, 7))]
    source, target = (np.concatenate([rng.choice(p, 3 * len(p)) for p in parts]) for _ in range(2))
    # The last two of the first component lead only to each other.
    free, found = ~np.isin(source, [38, 39]), source != target
    source, target = np.append(source[free & found], [38, 39]), np.append(target[free & found], [39, 38])
    edges = np.unique(np.column_stack([source, target]), axis=0)
    pairs = np.concatenate([np.array([(a, b) for a in p[:4] for b in p[4:7]]) for p in parts])
    candidates = {"source": number[np.append(pairs[:, 0], 98)], "rewrite": number[np.append(pairs[:, 1], 99)]}
    ended = np.setdiff1d(np.arange(100), [38, 39])
    return (
        pa.table(
            {
                "source": number[edges[:, 0]],
                "target": number[edges[:, 1]],
                "weight": rng.integers(1, 9, len(edges)) * 10**6,
            }
        ),
        pa.table(
            {
                "state": number[ended],
                "success": rng.integers(0, 9, 98) * 10**6,
                "failure": rng.integers(1, 9, 98) * 10**6,
            }
        ),
        pa.table(candidates | {"place": rng.permutation(len(pairs) + 1)}),
    )


def solved(spark, tmp_path: Path, settings: Mine, seed: int) -> Solution:
    edges, ends, candidates = random_log(seed)
    problem = Problem(spark.createDataFrame(edges), spark.createDataFrame(ends), candidates)
    with scratch_beside(tmp_path / "solve") as scratch:
        return solve_chain(problem, settings, scratch)


@pytest.mark.parametrize("settings", [PACKED, GIANT], ids=["packed", "giant"])
def test_tasks_solve_what_one_process_solves(spark, tmp_path: Path, settings: Mine):
    here, there = (solved(spark, tmp_path, s, 4) for s in (HERE, settings))
    assert (there.components, there.trapped) == (here.components, here.trapped) == (10, 2)
    for name in here.solved.column_names:
        got, expected = there.solved.column(name), here.solved.column(name)
        if pa.types.is_floating(expected.type):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9, err_msg=name)
        else:
            assert got.equals(expected), name
    assert here.solved.num_rows == 109
    is_best = np.asarray(here.solved.column("is_best"))
    assert is_best.sum() == len(np.unique(here.solved.column("source")))


def test_no_candidate_is_no_work(spark, tmp_path: Path):
    edges, ends, candidates = random_log(0)
    problem = Problem(spark.createDataFrame(edges), spark.createDataFrame(ends), candidates.slice(0, 0))
    with scratch_beside(tmp_path / "none") as scratch:
        assert solve_chain(problem, HERE, scratch).solved.num_rows == 0


def test_bins_hold_each_component_once_and_evenly():
    rng = np.random.default_rng(0)
    n_edges = np.append(rng.integers(1, 50, 200), [5000, 900])
    bins = pack(np.arange(202), n_edges, 800)
    assert (bins[200] != bins[:200]).all()
    assert (bins[201] != np.delete(bins, 201)).all()
    load = np.bincount(bins[:200], n_edges[:200])
    small = load[np.unique(bins[:200])]
    assert len(small) == -(-int(n_edges[:200].sum()) // 800)
    assert small.max() - small.min() <= 50
