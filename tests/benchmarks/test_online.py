"""The measures of the online benchmark: whose meaning is served, and what is learnt again without a part."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from benchmarks.online.curve import points
from benchmarks.online.meanings import Case, cases, counted, reached
from benchmarks.online.variants import VARIANTS, stages_from, swapped
from rewriter.evaluation.win_loss import Outcome
from rewriter.ranking.thresholds import Judged
from rewriter.simulation.exchange import Answer
from rewriter.simulation.simulate import simulate
from rewriter.simulation.world import World

WORLD = World(7, "ambiguous")
PLANTED = {one.text: one for one in WORLD.scenario.planted}


@pytest.fixture(scope="module")
def turns():
    """Heard planted wordings of a few users, two of whom reached what they mean by another wording."""
    return simulate(WORLD, 120, range(10), date(2026, 3, 2))


def meant(turns):
    return next(t for t in turns if t.heard.text in PLANTED and t.goal == PLANTED[t.heard.text].other)


def test_a_case_is_right_if_what_was_served_does_what_its_user_means(turns):
    turn = meant(turns)
    name = turn.goal.slots[0][1]
    answers = {f"play the podcast {name}": True, f"play the song {name}": False, None: False}
    for served, right in answers.items():
        (case,) = cases(WORLD, reached(()), [replace(turn, answer=Answer(served))])
        assert case == Case("none", common=False, served=served is not None, right=right)


def test_history_is_what_the_user_reached_of_either_meaning(turns):
    turn = meant(turns)
    mine = replace(turn, ok=True)
    other = replace(turn, ok=True, goal=PLANTED[turn.heard.text].goal)
    failed = replace(turn, ok=False)
    found = {name: cases(WORLD, reached(past), [turn])[0].history for name, past in
             {"mine": [mine], "both": [mine, other], "other": [other], "failed": [failed]}.items()}  # fmt: skip
    assert found == {"mine": "own", "both": "mixed", "other": "mixed", "failed": "none"}


def test_what_is_not_heard_as_planted_is_no_case(turns):
    turn = meant(turns)
    assert not cases(WORLD, reached(()), [replace(turn, heard=replace(turn.heard, text="play the news"))])


def test_shares_are_of_all_cases_and_wrong_rewrites_counted_apart():
    part = [
        Case("own", True, served, right) for served, right in ((True, True), (True, False), (False, True), (False, False))
    ]
    row = counted(part)
    assert (row["cases"], row["rewritten"], row["rewritten_wrong"], row["right"], row["share"]) == (4, 2, 1, 2, 0.5)
    assert counted([])["share"] is None


def test_the_curve_counts_all_that_is_at_least_as_likely():
    outcomes = ((0.97, Outcome.WIN), (0.5, Outcome.WIN), (0.5, Outcome.TIE), (0.49, Outcome.LOSS))
    rows = points([Judged(str(i), "global", "music", p, o) for i, (p, o) in enumerate(outcomes)], 10)
    at = {row["least"]: (row["trigger_rate"], row["wins"], row["losses"], row["precision"]) for row in rows}
    assert at[0.95] == (0.1, 1, 0, 1.0)
    assert at[0.5] == (0.3, 2, 0, 1.0)
    assert at[0.4] == (0.4, 2, 1, 0.66667)
    assert points([], 10) == []


def test_what_reads_a_changed_stage_runs_again_and_nothing_else():
    assert [s.name for s in stages_from("train_ranker")] == ["train_ranker", "evaluate", "publish"]
    encoder = [s.name for s in stages_from("train_encoder")]
    assert encoder[0] == "train_encoder"
    assert {"global_fit", "build_personal", "publish"} < set(encoder)
    assert not {"mine_fit", "mine_rewrites", "detect_rephrases"} & set(encoder)
    assert stages_from("") == []


def test_a_stand_in_is_gone_afterwards_even_if_a_stage_fails():
    module, name, value = VARIANTS["in float"].swap
    before = getattr(module, name)
    during = []

    def fail():
        with swapped(VARIANTS["in float"].swap):
            during.append(getattr(module, name))
            raise ValueError("stage")

    with pytest.raises(ValueError, match="stage"):
        fail()
    assert (during, getattr(module, name)) == ([value], before)
