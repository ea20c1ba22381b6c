"""The strongest ways behind a pair."""

from __future__ import annotations

import pytest

from rewriter.markov.chain import chain_of
from rewriter.markov.counts import counts_of
from rewriter.markov.paths import strongest_ways

COUNTS, NAMES = counts_of(
    [("a", "b", 30), ("a", "c", 40), ("b", "c", 20), ("b", "a", 2), ("c", "b", 5)],
    [("a", 5, 25), ("b", 10, 18), ("c", 180, 15)],
)


def test_the_strongest_way_comes_first_with_its_own_probability():
    ways = strongest_ways(chain_of(COUNTS), 0, 2)
    assert [[NAMES[s] for s in way.states] for way in ways] == [["a", "c"], ["a", "b", "c"]]
    assert [way.probability for way in ways] == pytest.approx([0.4 * 0.9, 0.3 * 0.4 * 0.9])


def test_no_way_is_said_as_such():
    counts, _ = counts_of([("a", "b", 1.0)], [("a", 1.0, 1.0), ("b", 1.0, 1.0), ("c", 1.0, 1.0)])
    assert strongest_ways(chain_of(counts), 0, 2) == []


def test_no_more_ways_than_asked_for_and_none_longer():
    chain = chain_of(COUNTS)
    assert len(strongest_ways(chain, 0, 2, most=1)) == 1
    assert [way.states for way in strongest_ways(chain, 0, 2, longest=1)] == [(0, 2)]
