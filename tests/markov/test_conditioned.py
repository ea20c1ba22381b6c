"""The chain conditioned on success: tight bounds beside slow states, and the same numbers in both directions."""

from __future__ import annotations

import numpy as np

from rewriter.markov.chain import Chain, chain_of
from rewriter.markov.conditioned import conditioned
from rewriter.markov.counts import Counts, merge_edges


def random_chain(n: int, seed: int, slow: float | None = None) -> Chain:
    """A chain of n states; with ``slow`` its first two lead to each other and end that seldom."""
    rng = np.random.default_rng(seed)
    source, target = rng.integers(2, n, (2, 3 * n))
    other = source != target
    source, target, weight = source[other], target[other], rng.integers(1, 20, int(other.sum())).astype(float)
    success, failure = rng.random(n) * 10, rng.random(n) * 10
    if slow is not None:
        source, target, weight = np.append(source, [0, 1]), np.append(target, [1, 0]), np.append(weight, [1.0, 1.0])
        success[:2], failure[:2] = [slow, 0.0], [slow, 0.0]
    return chain_of(Counts(*merge_edges(source, target, weight, n), success, failure))


def test_states_that_hardly_ever_end_leave_the_bounds_of_all_others_tight():
    success = conditioned(random_chain(3000, 0, slow=1e-8))
    width = (success.upper - success.lower)[2:]
    assert float(width.max()) < 1e-9
    assert success.lower[0] <= 0.5 <= success.upper[0]


def test_both_directions_of_the_conditioned_chain_hold_the_same_numbers():
    graph = conditioned(random_chain(200, 1)).graph
    sources = np.repeat(np.arange(200), np.diff(graph.start))
    targets = np.repeat(np.arange(200), np.diff(graph.back_start))
    forward = {pair: tuple(step) for pair, step in zip(zip(sources, graph.successor, strict=True), graph.step, strict=True)}
    backward = {
        pair: tuple(step) for pair, step in zip(zip(graph.predecessor, targets, strict=True), graph.back_step, strict=True)
    }
    assert forward == backward
    assert len(forward) > 400
