"""Which pairs are published: planted evidence, each rule alone, certificates, chains of pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rewriter.markov.awareness import Served, with_served
from rewriter.markov.chain import hubs
from rewriter.markov.counts import Counts, counts_of
from rewriter.markov.evidence import Support
from rewriter.markov.paths import strongest_ways
from rewriter.markov.rewrites import Mined, Pair, final_targets, mine
from rewriter.settings import Mine

LAX = Mine(min_users=1, min_sessions=1, min_days=1, prior_strength=0.0, max_source_success=1.0, confidence=0.5)


def support_of(counts: Counts, pairs: list[tuple[str, str]], users: int = 50, days: int = 9) -> Support:
    number = {s: k for k, s in enumerate(counts.states)}
    k = len(pairs)
    return Support(
        np.array([number[a] for a, _ in pairs]),
        np.array([number[b] for _, b in pairs]),
        *(np.full(k, v, np.int64) for v in (users, users, days, 0, 1)),
    )


def judged(
    counts: Counts, pairs: list[tuple[str, str]], settings: Mine = LAX, users: int = 50, refuse=lambda a, b: ""
) -> Mined:
    return mine(counts, support_of(counts, pairs, users), np.zeros(len(counts.states), np.int64), settings, refuse)


def active(mined: Mined) -> set[tuple[str, str]]:
    states = mined.chain.states
    return {(states[p.source], states[p.rewrite]) for p in mined.pairs if p.status == "active"}


def reason(mined: Mined, source: str, rewrite: str) -> str:
    states = mined.chain.states
    return next(p.reason for p in mined.pairs if (states[p.source], states[p.rewrite]) == (source, rewrite))


WORKED = counts_of(
    [("a", "b", 30), ("a", "c", 40), ("b", "c", 20), ("b", "a", 2), ("c", "b", 5)],
    [("a", 5, 25), ("b", 10, 18), ("c", 180, 15)],
)
ORDERED = [("a", "b"), ("a", "c"), ("b", "c"), ("b", "a"), ("c", "b")]


def test_the_worked_example_rewrites_a_and_b_to_c_and_leaves_c_alone():
    mined = judged(WORKED, ORDERED)
    assert active(mined) == {("a", "c"), ("b", "c")}
    assert all(p.certified for p in mined.pairs if p.status == "active")
    share = next(p.share for p in mined.pairs if p.status == "active" and mined.chain.states[p.source] == "a")
    assert share == pytest.approx(0.4787 / 0.5928, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"min_users": 51}, "fewer than 51 users"),
        ({"min_sessions": 51}, "fewer than 51 sessions"),
        ({"min_days": 10}, "fewer than 10 days"),
        ({"max_source_success": 0.01}, "the request normally succeeds"),
        ({"min_lift": 0.95}, "no certain gain in success"),
    ],
)
def test_each_rule_alone_rejects_and_says_so(change: dict[str, float], said: str):
    mined = judged(WORKED, ORDERED, dataclasses.replace(LAX, **change))
    assert not active(mined)
    assert reason(mined, "a", "c") == said


def test_a_refused_pair_leaves_its_place_to_the_next_best_allowed_one():
    counts = counts_of([("a", "b", 10), ("a", "c", 40)], [("a", 1, 9), ("b", 30, 2), ("c", 80, 2)])
    pairs = [("a", "b"), ("a", "c")]
    assert active(judged(counts, pairs)) == {("a", "c")}
    mined = judged(counts, pairs, refuse=lambda _, rewrite: "protected" if rewrite == "c" else "")
    assert active(mined) == {("a", "b")}
    assert reason(mined, "a", "c") == "protected"


def test_a_request_that_mostly_succeeds_itself_stays():
    counts = counts_of([("a", "b", 3)], [("a", 60, 40), ("b", 95, 5)])
    mined = judged(counts, [("a", "b")])
    assert reason(mined, "a", "b") == "staying is as likely to succeed"


def test_few_trials_do_not_make_a_certain_gain():
    few = counts_of([("a", "b", 1)], [("a", 1, 1), ("b", 2, 1)])
    strict = dataclasses.replace(LAX, confidence=0.95, prior_strength=4.0)
    assert reason(judged(few, [("a", "b")], strict), "a", "b") == "no certain gain in success"


def test_a_rewrite_that_is_rewritten_itself_gives_way_to_a_final_target_that_was_judged_too():
    outcomes = [("a", 0, 5), ("b", 40, 5), ("c", 150, 1)]
    counts = counts_of([("a", "b", 50), ("a", "c", 8), ("b", "c", 60)], outcomes)
    mined = judged(counts, [("a", "b"), ("b", "c"), ("a", "c")])
    assert active(mined) == {("a", "c"), ("b", "c")}
    pair = next(p for p in mined.pairs if p.status == "active" and mined.chain.states[p.source] == "a")
    assert pair.share > 0.4
    unsupported = judged(counts, [("a", "b"), ("b", "c")])
    assert active(unsupported) == {("b", "c")}
    assert reason(unsupported, "a", "b") == "its rewrite is itself rewritten"


def test_two_requests_that_lead_to_each_other_end_without_a_rewrite():
    pair = Pair(0, 1, 0, 0.5, 0.5, 0.0, 0.0, 0.5, True, "active", "certified best")
    back = dataclasses.replace(pair, source=1, rewrite=0, support=1)
    assert [p.status for p in final_targets([pair, back])] == ["rejected", "rejected"]


def test_equal_gains_are_a_tie_that_is_flagged_and_broken_by_text():
    counts = counts_of([("a", "b", 10), ("a", "c", 10)], [("a", 0, 1), ("b", 9, 1), ("c", 9, 1)])
    mined = judged(counts, [("a", "c"), ("a", "b")])
    assert active(mined) == {("a", "b")}
    assert not next(p for p in mined.pairs if p.status == "active").certified


def test_hubs_lead_anywhere_and_are_cut_only_in_large_logs():
    rng = np.random.default_rng(1)
    edges = [("stop", f"q{k}", 1.0) for k in range(120)]
    edges += [(f"q{k}", f"q{(k + 1) % 120}", 5.0) for k in range(120)]
    edges += [("heard wrong", "q3", 40.0)]
    counts = counts_of(edges, [(f"q{k}", float(rng.integers(5, 9)), 1.0) for k in range(120)])
    found = {counts.states[k] for k in np.flatnonzero(hubs(counts, 100))}
    assert found == {"stop"}
    assert not hubs(counts, 1000).any()


def test_a_pair_that_loses_live_stops_being_believed():
    counts = counts_of([("a", "b", 20)], [("a", 6, 4), ("b", 90, 10)])
    lost = Served(np.array([0]), np.array([1]), np.array([5.0]), np.array([45.0]))
    assert lost.better(counts)[0] < 0.5
    assert lost.losing(counts) == {(0, 1)}
    won = Served(np.array([0]), np.array([1]), np.array([45.0]), np.array([5.0]))
    assert won.losing(counts) == set()
    assert won.better(counts)[0] > 0.9


def test_served_rewrites_split_their_weight_over_both_paths_and_lose_none():
    counts = counts_of([("a", "b", 20)], [("a", 6, 4), ("b", 90, 10)])
    served = Served(np.array([0]), np.array([1]), np.array([30.0]), np.array([10.0]))
    p = float(served.better(counts)[0])
    mixed = with_served(counts, served)
    assert mixed.weight[0] == pytest.approx(20 + 40 * p)
    assert mixed.success.sum() == pytest.approx(counts.success.sum() + 30.0)
    assert mixed.success[0] == pytest.approx(6 + 30 * (1 - p))


def test_the_strongest_way_comes_first_with_its_own_probability():
    from rewriter.markov.chain import chain_of

    ways = strongest_ways(chain_of(WORKED), 0, 2)
    assert ways[0].states == ("a", "c")
    assert ways[0].probability == pytest.approx(0.4 * 0.9)
    assert ways[1].states == ("a", "b", "c")
    assert ways[1].probability == pytest.approx(0.3 * 0.4 * 0.9)


def test_pairs_keep_their_evidence_whether_active_or_not():
    mined = judged(WORKED, ORDERED)
    assert len(mined.pairs) == len(ORDERED)
    assert all(isinstance(p, Pair) and p.reason for p in mined.pairs)
