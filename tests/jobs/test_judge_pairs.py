"""Pairs judged by numbers, then by words: the reason of each, who is asked what, and in which words it would be served."""

from __future__ import annotations

import math
from typing import Any

import pytest

from jobs.counted_log import CountedLog, live_verdicts
from jobs.judge_pairs import UNLIKE, judged_pairs, worded_pairs
from rewriter.settings import Decide, Mine

SUPPORT = "source long, rewrite long, users long, sessions long, days long, first_seen long, last_seen long"
STATES = "state long, is_hub boolean, p double, p_low double, p_high double"
NAMES = "state long, locale string, text string, domain string, intent string, is_reading boolean"
FORM = "struct<rarity: long, text: string, form: long, p: double, p_low: double>"
FORMS = f"state long, p double, p_low double, forms array<{FORM}>"
NAN = float("nan")
LIVE = "source long, rewrite long, loses_live boolean, p_live double"
TRANSITIONS = "source long, target long, weight long, is_reading boolean"


def log_of(spark, live: Any = None, forms: Any = (), followed: Any = (), votes: Any = (), usual: Any = ()) -> CountedLog:
    """Wordings 1 to 4, the reading 9 with its forms; who says what is up to the test."""
    states = [(1, False, 0.1, 0.05, 0.2), (2, False, 0.9, 0.85, 0.95), (3, True, 0.5, 0.4, 0.6), (4, False, 0.9, 0.8, 0.95)]
    pairs = [(1, 2, 50), (1, 3, 50), (1, 4, 50), (2, 1, 50), (4, 2, 3), (1, 9, 50)]
    names = [
        (1, "en-US", "play too songs", "music", "play", False),
        (2, "en-US", "play two songs", "music", "play", False),
        (3, "en-US", "stop", None, None, False),
        (4, "en-US", "buy songs", "shopping", "purchase", False),
        (9, "en-US", "two songs", "music", "play", True),
    ]
    return CountedLog(
        names=spark.createDataFrame(names, NAMES),
        usual=spark.createDataFrame(list(usual), "state long, reading long, share double"),
        transitions=spark.createDataFrame([], TRANSITIONS),
        edges=spark.createDataFrame([], TRANSITIONS),
        ends=spark.createDataFrame([], "state long, success long, failure long"),
        states=spark.createDataFrame(states, STATES),
        forms=spark.createDataFrame([(9, 0.9, 0.85, list(forms))] if forms else [], FORMS),
        support=spark.createDataFrame([(s, r, users, users, 5, 7, 8) for s, r, users in pairs], SUPPORT),
        votes=spark.createDataFrame(list(votes), "source long, rewrite long, vote double, came double"),
        said_next=spark.createDataFrame([(1, target) for target in followed], "source long, target long"),
        live=None if live is None else spark.createDataFrame(live, LIVE),
        counts={},
    )


def judged(log: CountedLog, settings: Mine | None = None) -> dict[tuple[int, int], Any]:
    rows = judged_pairs(log, lambda frame: frame, settings or Mine()).collect()
    return {(row["source"], row["rewrite"]): row for row in rows}


def worded(log: CountedLog) -> dict[int, Any]:
    allowed = judged_pairs(log, lambda frame: frame, Mine())
    return {row["rewrite"]: row for row in worded_pairs(allowed, log, Decide()).collect()}


def test_each_pair_meets_the_numbers_of_its_own_two_states(spark):
    found = judged(log_of(spark))
    assert {pair: row["reason"] for pair, row in found.items()} == {
        (1, 2): "",
        (1, 3): "the rewrite leads anywhere (hub)",
        (1, 4): "",
        (2, 1): "the rewrite fails too",
        (4, 2): "fewer than 10 users",
        (1, 9): "fewer than 10 users say the rewrite",
    }
    row = found[1, 2]
    assert (row["source_p"], row["rewrite_p"], row["users"], row["first_seen"]) == (0.1, 0.9, 50, 7)
    assert 0 < row["lift_lower"] < row["lift"] == pytest.approx(0.8)


def test_a_pair_that_loses_live_is_rejected_and_its_neighbours_are_not(spark):
    found = judged(log_of(spark, live=[(1, 2, True, NAN), (1, 3, False, NAN)]))
    assert (found[1, 2]["reason"], found[1, 4]["reason"]) == ("loses live", "")


def test_a_pair_that_wins_live_is_allowed_without_a_certain_gain_and_others_are_judged_as_before(spark):
    settings = Mine(min_lift=0.9)
    before = judged(log_of(spark), settings)
    found = judged(log_of(spark, live=[(1, 2, False, 0.75), (4, 2, False, 0.75), (1, 3, False, NAN)]), settings)
    assert before[1, 2]["reason"] == "no certain gain in success"
    assert (found[1, 2]["reason"], found[1, 2]["p_live"]) == ("", 0.75)
    others = [key for key in before if key not in ((1, 2), (4, 2))]
    assert {key: found[key]["reason"] for key in others} == {key: before[key]["reason"] for key in others}
    assert all(math.isnan(found[key]["p_live"]) for key in others)
    assert found[4, 2]["reason"] == "fewer than 10 users"


def test_votes_and_guards_bind_a_pair_that_wins_live(spark):
    live = [(1, 2, False, 0.75), (1, 4, False, 0.75)]
    against = judged(log_of(spark, live=live, votes=[(1, 2, 0.3, 0.9)]))
    assert against[1, 2]["reason"] == "most who say it otherwise mean something else"
    said = worded(log_of(spark, live=live, followed=[4]))
    assert "purchase" in said[4]["refusal"]
    assert (said[2]["refusal"], said[2]["p_live"]) == ("", 0.75)


def test_a_reading_fares_as_the_wordings_that_were_served_for_it_and_a_losing_one_speaks_first(spark):
    served = [(1, 2, False, 0.75), (1, 4, False, 0.6), (5, 2, False, 0.75), (5, 4, True, NAN), (6, 2, False, NAN)]
    known = spark.createDataFrame(served, LIVE)
    usual = spark.createDataFrame([(2, 9, 0.9), (4, 9, 0.9)], "state long, reading long, share double")
    found = {(r["source"], r["rewrite"]): (r["loses_live"], r["p_live"]) for r in live_verdicts(known, usual).collect()}
    assert found[1, 2] == (False, 0.75)
    assert found[1, 9] == (False, 0.6)
    assert found[5, 2] == (False, 0.75)
    assert (found[5, 9][0], math.isnan(found[5, 9][1])) == (True, True)
    assert (found[6, 9][0], math.isnan(found[6, 9][1])) == (False, True)
    assert len(found) == 8


def test_the_votes_of_a_pair_are_its_own(spark):
    found = judged(log_of(spark, votes=[(1, 2, 0.3, 0.9), (1, 4, 0.7, 0.1)]), Mine(min_user_share=0.2))
    assert found[1, 2]["reason"] == "most who say it otherwise mean something else"
    assert found[1, 4]["reason"] == "few who say it come to mean the rewrite"


def test_a_request_that_is_mostly_read_as_the_rewrite_is_left_alone_unless_it_fails(spark):
    log = log_of(spark, usual=[(1, 2, 0.7), (1, 4, 0.5), (2, 1, 0.7)])
    reasons = {pair: row["reason"] for pair, row in judged(log, Mine(max_understood_success=0.05)).items()}
    assert (reasons[1, 2], reasons[1, 4]) == ("the request is understood as it is", "")
    assert judged(log)[1, 2]["reason"] == ""


def test_guards_see_the_words_and_readings_of_the_allowed_pairs(spark):
    said = worded(log_of(spark, followed=[4]))
    assert set(said) == {2, 4}
    assert (said[2]["text"], said[2]["form"], said[2]["p"], said[2]["users"], said[2]["refusal"]) == (
        "play two songs",
        2,
        0.9,
        50,
        "",
    )
    assert "purchase" in said[4]["refusal"]


def test_a_reading_is_served_in_its_first_form_that_no_guard_refuses(spark):
    form = [
        (-90, "play too songs", 1, 0.9, 0.8),
        (-80, "don't play two songs", 5, 0.9, 0.8),
        (-70, "play two songs", 2, 0.88, 0.8),
    ]
    said = worded(log_of(spark, forms=form))
    assert (said[9]["text"], said[9]["form"], said[9]["p"], said[9]["refusal"]) == ("play two songs", 2, 0.88, "")


def test_a_form_that_is_nothing_like_the_source_needs_somebody_who_said_it_next(spark):
    form = [(-90, "we are out of cat food", 5, 0.9, 0.8)]
    assert worded(log_of(spark, forms=form))[9]["refusal"] == UNLIKE
    assert worded(log_of(spark, forms=form, followed=[5]))[9]["refusal"] == ""
