"""The corrected counts against the reference that holds the whole log in arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from jobs.served import corrected, posteriors
from rewriter.markov.counts import Counts, merge_edges, sums
from rewriter.markov.tally import MOVED, OUTCOME, SERVED, TRANSITION
from rewriter.settings import Mine
from tests.markov.served_reference import Moved, Served, with_served

N = 12
UNIT = 1_000_000
CAP = 30.0


def distinct(rng: np.random.Generator, k: int, width: int) -> np.ndarray:
    """Rows of different states, each row once."""
    rows = np.array([rng.permutation(N)[:width] for _ in range(k)])
    return np.unique(rows, axis=0)


@pytest.mark.parametrize("seed", range(2))
def test_served_turns_go_on_both_paths_as_in_the_reference(spark, seed: int):
    rng = np.random.default_rng(seed)
    edges, served = distinct(rng, 40, 2), distinct(rng, 9, 2)
    weight = rng.integers(1, 50, len(edges))
    ends, live = rng.integers(0, 60, (N, 2)), rng.integers(0, 90, (len(served), 2))
    onward = np.array([(k, t) for k in range(len(served)) for t in rng.permutation(N)[:2] if t != served[k, 0]])
    moved = rng.integers(1, 20, len(onward))
    columns = ["kind", "source", "via", "target", "a", "b"]
    rows = [(TRANSITION, s, 0, t, w, 0) for (s, t), w in zip(edges, weight, strict=True)]
    rows += [(OUTCOME, s, 0, 0, *end) for s, end in enumerate(ends)]
    rows += [(SERVED, s, 0, r, *end) for (s, r), end in zip(served, live, strict=True)]
    rows += [(MOVED, *served[k], t, w, 0) for (k, t), w in zip(onward, moved, strict=True)]
    table = np.array(rows, np.int64)
    table[:, 4:] *= UNIT
    frame = spark.createDataFrame(pa.table(dict(zip(columns, table.T, strict=True))))
    known = posteriors(frame, Mine(user_cap=CAP))
    found = {(r["kind"], r["source"], r["target"]): (r["a"], r["b"]) for r in corrected(frame, known).collect()}

    merged = merge_edges(edges[:, 0], edges[:, 1], weight.astype(float), N)
    counts = Counts(*merged, ends[:, 0].astype(float), ends[:, 1].astype(float))
    all_moved = sums(onward[:, 0], moved.astype(float), len(served))
    pairs = Served(served[:, 0], served[:, 1], live[:, 0].astype(float), live[:, 1].astype(float), all_moved)
    expected = with_served(counts, pairs, Moved(onward[:, 0], onward[:, 1], moved.astype(float)), CAP)
    flows = zip(expected.source.tolist(), expected.target.tolist(), expected.weight.tolist(), strict=True)
    got = {key[1:]: value[0] / UNIT for key, value in found.items() if key[0] == TRANSITION and value[0]}
    # A weight below half a millionth is none in whole millionths.
    want = {(s, t): w for s, t, w in flows if w > 5e-7}
    assert got == pytest.approx(want, abs=2e-5)
    for state in range(N):
        a, b = found[OUTCOME, state, 0]
        assert (a / UNIT, b / UNIT) == pytest.approx((expected.success[state], expected.failure[state]), abs=2e-5)
    losing = {(r["source"], r["rewrite"]) for r in known.where("loses_live").collect()}
    assert losing == {tuple(p) for p in served[pairs.losing(counts)].tolist()}
    assert 0 < len(losing) < len(served)

    floor = Mine().min_rewrite_success
    p_live = {(r["source"], r["rewrite"]): r["p_live"] for r in known.where(~F.isnan("p_live")).collect()}
    wins = pairs.winning(counts, floor)
    mean = (pairs.success + 1.0) / (pairs.success + pairs.failure + pairs.moved + 2.0)
    assert p_live == pytest.approx({tuple(p): m for p, m in zip(served[wins].tolist(), mean[wins].tolist(), strict=True)})
    assert 0 < len(p_live) < len(served)
    assert not losing & set(p_live)
