"""The loop: determinism, independence, and what users do."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from rewriter.simulation.exchange import NO_REWRITE, Answer, PairRewriter, Request
from rewriter.simulation.simulate import simulate, simulate_user
from rewriter.simulation.world import World


def test_the_same_seed_gives_the_same_turns_and_another_seed_others(world):
    assert simulate(World(3), 40, range(4)) == simulate(world, 40, range(4))
    assert simulate(World(4), 40, range(4)) != simulate(world, 40, range(4))


def test_neither_the_order_of_users_nor_threads_change_the_result(world):
    plain = simulate(world, 40, range(3))
    assert simulate(world, [*range(39, -1, -1)], range(3)) == plain
    assert simulate(world, 40, range(3), workers=4) == plain


def test_a_user_does_not_depend_on_who_else_there_is(world, turns):
    alone = simulate(world, [17], range(10))
    assert alone == [turn for turn in turns if turn.user_id == "u000017"]


def test_days_can_be_simulated_in_pieces(world):
    whole = simulate(world, 30, range(6))
    assert simulate(world, 30, range(3)) + simulate(world, 30, range(3, 6)) == whole


def test_turn_ids_are_unique_and_sessions_are_in_order(turns):
    assert len({turn.turn_id for turn in turns}) == len(turns)
    last = {}
    for turn in turns:
        before = last.get(turn.session_id)
        assert turn.turn_index == (before.turn_index + 1 if before else 0)
        if before:
            assert 0 < (turn.at - before.at).total_seconds() < 200
        last[turn.session_id] = turn


def test_a_rephrase_follows_a_failed_turn_of_the_same_goal_at_once(turns):
    by_id = {turn.turn_id: turn for turn in turns}
    rephrases = [turn for turn in turns if turn.rephrase_of]
    assert len(rephrases) > 100
    for turn in rephrases:
        failed = by_id[turn.rephrase_of]
        assert not failed.ok
        assert (failed.goal, failed.session_id, failed.turn_index + 1) == (turn.goal, turn.session_id, turn.turn_index)


def test_defaults_look_like_an_assistant(turns):
    failed = [turn for turn in turns if not turn.ok]
    again = sum(turn.rephrase_of is not None for turn in turns)
    repeated = sum(
        t.rephrase_of is not None and t.said == {x.turn_id: x for x in failed}[t.rephrase_of].said for t in turns[:3000]
    )
    assert 0.11 < len(failed) / len(turns) < 0.20
    assert 0.45 < again / len(failed) < 0.70
    assert 0 < repeated < again
    assert len({turn.goal.intent.split(".")[0] for turn in turns}) >= 8


def test_goals_are_popular_by_rank(turns):
    counts = {}
    for turn in turns:
        if turn.goal.intent == "music.play_song":
            counts[turn.goal.id] = counts.get(turn.goal.id, 0) + 1
    ranked = sorted(counts.values(), reverse=True)
    assert ranked[0] > 4 * ranked[len(ranked) // 2]
    assert ranked[-1] == 1


def test_some_successes_look_like_failures_and_some_failures_like_successes(turns):
    barged = {ok: [t.barge_in for t in turns if t.ok is ok] for ok in (True, False)}
    rate = {ok: sum(values) / len(values) for ok, values in barged.items()}
    assert 0.02 < rate[True] < rate[False] < 0.5
    assert any(not t.ok and t.reading.status == "ok" and not t.barge_in for t in turns)


def test_users_sometimes_ask_for_a_like_thing_next_without_any_failure(turns):
    pairs = zip(turns, sorted(turns, key=lambda t: (t.session_id, t.turn_index)), strict=True)
    ordered = [turn for _, turn in pairs]
    siblings = sum(
        a.session_id == b.session_id and a.ok and a.goal.intent == b.goal.intent and a.goal != b.goal
        for a, b in itertools.pairwise(ordered)
    )
    assert siblings > 50


class Recording:
    """Rewrites one text and remembers the requests."""

    def __init__(self, arm: str) -> None:
        self.arm, self.requests = arm, []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.utterance != "make me laugh":
            return NO_REWRITE
        return Answer("tell me a joke", "r1", "precomputed", self.arm, 0.9, "b1", "pair")


def test_the_rewriter_sees_each_heard_request_before_the_nlu(world):
    rewriter = Recording("holdout")
    turns = simulate(world, 60, range(4), rewriter=rewriter)
    by_id = {turn.turn_id: turn for turn in turns}
    assert len(rewriter.requests) == len(turns)
    for request in rewriter.requests:
        turn = by_id[request.request_id]
        assert (request.utterance, request.nbest, request.at) == (turn.heard.text, turn.heard.nbest, turn.at)
        earlier = [t.turn_id for t in turns if t.session_id == turn.session_id and t.turn_index < turn.turn_index]
        assert [t["turn_id"] for t in request.previous_turns] == earlier[-5:]
        assert request.interpretation["intent"] == world.understand(turn.heard.text, turn.user_id).interpretation[1]


def test_withheld_rewrites_change_nothing_but_the_record(world, turns):
    withheld = simulate(world, 250, range(10), rewriter=Recording("control"))
    plain = [turn for turn in turns if int(turn.user_id[1:]) < 250]
    assert [dataclasses.replace(t, answer=NO_REWRITE) for t in withheld] == plain
    assert any(t.answer.served == "tell me a joke" for t in withheld)


def test_treatment_serves_the_rewrite_and_keeps_the_counterfactual(world):
    turns = simulate(world, 450, range(10), rewriter=Recording("treatment"))
    treated = [t for t in turns if t.answer.served]
    assert len(treated) > 5
    for turn in treated:
        assert turn.heard.text == "make me laugh"
        assert not turn.ok_as_is
        assert turn.ok == (not world.is_out(turn.turn_id) and turn.goal.intent == "general.joke")
        assert turn.ok == (turn.reading.interpretation[1] == "joke")


def test_rewriting_does_not_change_what_users_came_for(world):
    def firsts(turns):
        return {(t.session_id, t.goal) for t in turns}

    assert firsts(simulate(world, 100, range(5))) == firsts(simulate(world, 100, range(5), rewriter=Recording("treatment")))


def test_pairs_are_withheld_for_their_share_of_requests_by_the_request_alone():
    rewriter = PairRewriter({("en-US", "a"): "b"}, holdout=0.3)
    user = World(1).user(0)
    request = Request("a", user.user_id, "s", None, "en-US", "tv", 0.9, (), None, {}, (), "0")  # type: ignore[arg-type]
    answers = [rewriter(dataclasses.replace(request, request_id=str(i))) for i in range(3000)]
    assert sum(a.arm == "holdout" for a in answers) / 3000 == pytest.approx(0.3, abs=0.03)
    assert {a.propensity for a in answers if a.arm == "holdout"} == {0.3}
    assert rewriter(dataclasses.replace(request, locale="de-DE")).served is None


def test_one_users_turns_come_in_time_order(world):
    from datetime import date

    turns = simulate_user(world, 8, range(20), date(2026, 3, 2))
    assert [t.at for t in turns] == sorted(t.at for t in turns)
