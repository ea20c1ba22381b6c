"""Each scenario does what it says."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from functools import cache

import pytest

from rewriter.errors import RewriterError
from rewriter.simulation.scenario import SCENARIOS, scenario
from rewriter.simulation.simulate import simulate
from rewriter.simulation.truth import meanings, true_pairs
from rewriter.simulation.world import World

N_USERS, DAYS = 250, range(8)


@cache
def run(name, users=N_USERS):
    world = World(3, name, flip_day=4)
    return world, simulate(world, users, DAYS)


def test_without_failures_nothing_fails_but_users_still_repeat_and_interrupt():
    world, turns = run("no_failures")
    assert all(turn.ok for turn in turns)
    assert all(turn.reading.status in ("ok", "no_result") for turn in turns)
    assert true_pairs(world, turns) == []
    assert any(turn.barge_in for turn in turns)
    assert any(a.session_id == b.session_id and a.heard.text == b.heard.text for a, b in itertools.pairwise(turns))


def following_failures(turns):
    sessions = defaultdict(list)
    for turn in turns:
        sessions[turn.session_id].append(turn)
    return [(s[i], s[i + 1]) for s in sessions.values() for i in range(len(s) - 1) if not s[i].ok]


def test_shuffling_keeps_every_failure_and_leaves_no_rephrase():
    _, plain = run("ordinary")
    _, turns = run("shuffled")
    key = Counter((t.heard.text, t.goal, t.ok) for t in plain)
    assert Counter((t.heard.text, t.goal, t.ok) for t in turns) == key
    assert [(t.turn_id, t.at, t.user_id) for t in turns] == [(t.turn_id, t.at, t.user_id) for t in plain]
    assert sum(a.goal == b.goal for a, b in following_failures(plain)) > 100
    assert sum(a.goal == b.goal for a, b in following_failures(turns)) == 0
    assert not any(t.rephrase_of for t in turns)


def test_shuffling_touches_nothing_that_follows_a_success():
    _, plain = run("ordinary")
    _, turns = run("shuffled")
    firsts = [t for t in plain if t.turn_index == 0]
    assert [t.heard for t in turns if t.turn_index == 0] == [t.heard for t in firsts]


def test_a_bad_pair_goes_live_midway_with_a_holdout_and_breaks_what_worked():
    world, turns = run("bad_pair", users=500)
    served = [t for t in turns if t.answer.served]
    assert served
    assert min(t.day for t in served) == world.flip_day
    treated = [t for t in served if t.answer.arm == "treatment"]
    held = [t for t in served if t.answer.arm == "holdout"]
    assert held
    assert sum(t.ok_as_is for t in served) > 0.9 * len(served)
    assert not any(t.ok for t in treated)
    assert sum(t.ok for t in held) > 0.7 * len(held)


def test_a_flip_changes_what_a_wording_means_and_the_truth_is_the_later_meaning():
    world, turns = run("flip")
    said = [(t.day < world.flip_day, dict(t.goal.slots)["show"]) for t in turns if t.said == "watch the games"]
    assert set(said) == {(True, "summer games"), (False, "winter games")}
    [pair] = [p for p in true_pairs(world, turns) if p.source == "watch the games"]
    assert "winter games" in pair.rewrite
    assert (pair.p_success_source, pair.p_success_rewrite) == (0.0, 1.0)


def test_an_ambiguous_wording_is_refused_means_two_things_and_is_no_pair():
    world, turns = run("ambiguous")
    for planted in world.scenario.planted:
        goals = meanings(turns)[planted.text]
        by_user = defaultdict(set)
        for user, goal in goals:
            by_user[user].add(goal)
        assert all(len(meant) == 1 for meant in by_user.values())
        shares = Counter(next(iter(meant)).intent for meant in by_user.values())
        assert min(shares.values()) > 0.3 * len(by_user)
        assert not any(world.succeeds(planted.text, goal, user) for user, goal in goals)
        assert planted.text not in {pair.source for pair in true_pairs(world, turns)}


def test_a_habit_of_few_is_loud_in_the_log_but_not_the_truth_of_all():
    world, turns = run("overindex", users=400)
    [planted] = world.scenario.planted
    goals = meanings(turns)[planted.text]
    users = {goal: {u for u, g in goals if g == goal} for goal in (planted.goal, planted.other)}
    times = {goal: sum(n for (_, g), n in goals.items() if g == goal) for goal in users}
    assert len(users[planted.other]) < len(users[planted.goal]) / 3
    assert times[planted.other] > times[planted.goal] / 2
    assert all(world.succeeds(planted.text, planted.goal, user) for user in users[planted.goal])
    assert not any(world.succeeds(planted.text, planted.other, user) for user in users[planted.other])
    assert planted.text not in {pair.source for pair in true_pairs(world, turns)}


def test_an_unknown_scenario_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(RewriterError, match=r"no scenario 'sunny': there are ordinary, no_failures, shuffled"):
        scenario("sunny")
    assert set(SCENARIOS) == {"ordinary", "no_failures", "shuffled", "bad_pair", "flip", "ambiguous", "overindex"}
