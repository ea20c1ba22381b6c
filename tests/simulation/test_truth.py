"""Planted truth is recovered by counting, and is what the world's rules say."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from rewriter.simulation.catalogue import Goal
from rewriter.simulation.exchange import PairRewriter
from rewriter.simulation.simulate import simulate
from rewriter.simulation.truth import judge, meanings, repairs, true_pairs
from rewriter.simulation.world import World


@pytest.fixture(scope="module")
def pairs(world, turns):
    return true_pairs(world, turns)


def test_there_are_pairs_of_many_users_and_a_long_tail(pairs):
    n_users = [pair.n_users for pair in pairs]
    assert sum(n >= 8 for n in n_users) >= 3
    assert sum(n <= 3 for n in n_users) > len(pairs) / 2
    assert min(n_users) >= 2


def test_success_of_a_source_is_what_counting_its_failures_gives(world, turns, pairs):
    outcomes = defaultdict(lambda: defaultdict(list))
    for turn in turns:
        if not world.is_out(turn.turn_id):
            outcomes[turn.heard.text][turn.user_id].append(turn.ok)
    for pair in pairs:
        by_user = [sum(oks) / len(oks) for oks in outcomes[pair.source].values()]
        if len(by_user) == pair.n_users:
            assert sum(by_user) / len(by_user) == pytest.approx(pair.p_success_source)


def test_the_log_alone_recovers_most_rewrites_by_counting_what_follows_failures(world, turns, pairs):
    following = defaultdict(Counter)
    ordered = sorted(turns, key=lambda t: (t.session_id, t.turn_index))
    for turn, after in itertools.pairwise(ordered):
        if turn.session_id == after.session_id and turn.heard.text != after.heard.text and after.reading.status == "ok":
            following[turn.heard.text][after.reading.interpretation] += 1
    frequent = [pair for pair in pairs if pair.n_users >= 6]
    right = 0
    for pair in frequent:
        best = following[pair.source].most_common(1)
        right += bool(best) and best[0][0] == world.understand(pair.rewrite, 0).interpretation
    assert len(frequent) >= 5
    assert right >= 0.7 * len(frequent)


def test_serving_the_true_pairs_wins_and_hardly_ever_loses(world, turns, pairs):
    rewriter = PairRewriter({("en-US", pair.source): pair.rewrite for pair in pairs})
    served = [t for t in simulate(world, 450, range(10, 16), rewriter=rewriter) if t.answer.served]
    wins = sum(t.ok and not t.ok_as_is for t in served)
    losses = sum(t.ok_as_is and not t.ok for t in served)
    assert wins > 60
    assert losses <= wins / 20


def test_a_pair_of_another_meaning_is_judged_to_fail(world, turns):
    said = meanings(turns)["make me laugh"]
    good, bad = judge(world, "make me laugh", "tell me a joke", said), judge(world, "make me laugh", "pause", said)
    assert good.p_success_rewrite > 0.9 > 0.1 > bad.p_success_rewrite
    assert good.n_users == len({user for user, _ in said})


def test_sources_that_work_have_no_pair(world, turns, pairs):
    sources = {pair.source for pair in pairs}
    assert not sources & {"what's the weather", "turn it up", "tell me a joke", "next song"}
    assert all(pair.p_success_rewrite - pair.p_success_source >= 0.3 for pair in pairs)


def test_repair_users_failed_with_the_source_and_reached_its_goal_in_other_words_in_the_session(turns, pairs):
    sessions = defaultdict(list)
    for turn in turns:
        sessions[turn.session_id].append(turn)
    shown = defaultdict(set)
    for session in sessions.values():
        for turn, after in itertools.combinations(session, 2):
            if not turn.ok and after.ok and after.goal == turn.goal and after.heard.text != turn.heard.text:
                shown[turn.heard.text].add((turn.user_id, turn.goal))
    said = meanings(turns)
    for pair in pairs:
        users = defaultdict(set)
        for user, goal in said[pair.source]:
            users[goal].add(user)
        shared = max(users, key=lambda goal: len(users[goal]))
        assert pair.n_repair_users == sum(goal == shared for _, goal in shown[pair.source])
    assert max(pair.n_repair_users for pair in pairs) >= 5
    assert any(pair.n_repair_users == 0 for pair in pairs)
    assert all(pair.n_repair_users <= pair.n_users for pair in pairs)


def test_a_repair_is_later_of_the_same_session_and_goal_and_in_other_words(turns):
    base, goal, other = turns[0], Goal("a"), Goal("b")

    def said(place, text, ok, goal=goal, session="s", user="u"):
        heard = replace(base.heard, text=text)
        return replace(base, turn_index=place, heard=heard, ok=ok, goal=goal, session_id=session, user_id=user)

    failed = said(1, "x", False)
    assert repairs([failed, said(2, "z", False), said(3, "y", True)]) == {("x", goal): {"u"}, ("z", goal): {"u"}}
    assert repairs([said(3, "y", True), failed, said(2, "x", True)]) == {("x", goal): {"u"}}
    for no_repair in (
        said(0, "y", True),
        said(2, "x", True),
        said(2, "y", False),
        said(2, "y", True, goal=other),
        said(2, "y", True, session="t"),
        said(2, "y", True, user="v"),
    ):
        assert repairs([failed, no_repair]) == {}


def test_a_shuffled_log_hardly_shows_any_repair(pairs):
    def shown(found):
        return sum(pair.n_repair_users for pair in found) / sum(pair.n_users for pair in found)

    # What is left follows something that worked, so it says again what failed before it only by way of another request.
    shuffled_world = World(3, "shuffled")
    shuffled = true_pairs(shuffled_world, simulate(shuffled_world, 450, range(10)))
    assert len(shuffled) >= len(pairs) / 2
    assert shown(shuffled) < shown(pairs) / 5
