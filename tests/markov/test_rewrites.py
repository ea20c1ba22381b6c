"""Which allowed pairs are published: the argmax, staying, ties and chains of pairs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rewriter.markov.rewrites import LESS_LIKELY, OPEN, STAYING, UNCERTAIN, WINS, final_targets, verdicts


def solved(*rows: dict[str, object]) -> pa.Table:
    base = {"staying": 0.05, "absorbed": 0.6, "bound": 1e-6, "is_best": True, "certified": True, "is_tie": False}
    base |= {"p": 0.9, "p_low": 0.85, "source_p": 0.1, "source_high": 0.15, "p_live": np.nan}
    return pa.Table.from_pylist([base | {"form": row["rewrite"]} | row for row in rows])


def by_pair(table: pa.Table) -> dict[tuple[int, int], dict[str, object]]:
    return {(row["source"], row["rewrite"]): row for row in table.to_pylist()}


def test_the_likeliest_rewrite_is_active_with_its_share_and_the_others_say_why_not():
    judged = by_pair(
        verdicts(
            min_lift=0.0,
            solved=solved(
                {"source": 0, "rewrite": 1, "passing": 0.06, "is_best": False},
                {"source": 0, "rewrite": 2, "passing": 0.48},
                {"source": 0, "rewrite": 3, "passing": 0.04, "is_best": False},
            ),
        )
    )
    assert judged[0, 2]["status"] == "active"
    assert judged[0, 2]["share"] == pytest.approx(0.8)
    assert judged[0, 2]["reason"] == "certified best"
    assert judged[0, 1]["reason"] == LESS_LIKELY
    assert judged[0, 3]["reason"] == STAYING
    assert [row["certified"] for row in judged.values()] == [False, True, False]


def test_the_best_rewrite_that_does_not_beat_staying_is_none():
    judged = by_pair(verdicts(solved({"source": 0, "rewrite": 1, "passing": 0.05}), 0.0))
    assert judged[0, 1]["status"] == "rejected"
    assert judged[0, 1]["reason"] == STAYING


def test_a_best_by_a_tie_is_active_and_flagged():
    tie = {"source": 0, "rewrite": 1, "passing": 0.3, "certified": False, "is_tie": True}
    judged = by_pair(verdicts(solved(tie), 0.0))
    assert judged[0, 1]["status"] == "active"
    assert judged[0, 1]["reason"] == "best by a tie"
    assert judged[0, 1]["certified"] is False


def test_a_best_that_is_neither_proven_nor_a_tie_is_not_published():
    judged = by_pair(verdicts(solved({"source": 0, "rewrite": 1, "passing": 0.3, "certified": False}), 0.0))
    assert (judged[0, 1]["status"], judged[0, 1]["reason"]) == ("rejected", OPEN)


def test_a_rewrite_that_is_rewritten_itself_gives_way_to_a_final_target_that_was_judged_too():
    onward = {"source": 1, "rewrite": 2, "passing": 0.5}
    first = {"source": 0, "rewrite": 1, "passing": 0.3}
    end = {"source": 0, "rewrite": 2, "passing": 0.2, "is_best": False}
    judged = by_pair(verdicts(solved(first, onward, end), 0.0))
    assert [pair for pair, row in judged.items() if row["status"] == "active"] == [(1, 2), (0, 2)]
    assert judged[0, 1]["reason"] == "its rewrite is itself rewritten"
    assert judged[0, 2]["certified"] is False
    alone = by_pair(verdicts(solved(first, onward), 0.0))
    assert [pair for pair, row in alone.items() if row["status"] == "active"] == [(1, 2)]


def test_a_rewrite_that_few_mean_is_no_certain_gain():
    few = {"source": 0, "rewrite": 1, "passing": 0.09, "source_p": 0.14}
    assert by_pair(verdicts(solved(few), 0.0))[0, 1]["reason"] == UNCERTAIN
    assert by_pair(verdicts(solved(few | {"passing": 0.5}), 0.0))[0, 1]["status"] == "active"
    assert by_pair(verdicts(solved(few | {"passing": 0.5}), 0.7))[0, 1]["reason"] == UNCERTAIN


#: Source, rewrite and C of pairs that win live.
WINNERS = [(0, 1, 0.03), (3, 4, 0.01), (0, 2, 0.04), (0, 6, 0.02)]
#: What keeps a pair that does not win live from being published, with the reason.
UNFIT = [
    ({"passing": 0.04}, STAYING),
    ({"passing": 0.09, "source_p": 0.14}, UNCERTAIN),
    ({"passing": 0.3, "certified": False}, OPEN),
]


@pytest.mark.parametrize(("change", "why"), UNFIT)
def test_a_pair_that_wins_live_stays_where_nothing_is_found_for_its_source(change: dict[str, object], why: str):
    row = {"source": 0, "rewrite": 1} | change
    assert by_pair(verdicts(solved(row), 0.0))[0, 1]["reason"] == why
    kept = by_pair(verdicts(solved(row | {"p_live": 0.6}), 0.0))[0, 1]
    assert (kept["status"], kept["reason"], kept["certified"]) == ("active", WINS, False)


def test_what_is_found_for_a_source_takes_the_place_of_a_pair_that_wins_live():
    winner = {"source": 0, "rewrite": 1, "passing": 0.2, "is_best": False, "p_live": 0.9}
    found = {"source": 0, "rewrite": 2, "passing": 0.3}
    both = by_pair(verdicts(solved(winner, found), 0.0))
    assert (both[0, 1]["status"], both[0, 1]["reason"]) == ("rejected", LESS_LIKELY)
    assert both[0, 2]["status"] == "active"
    elsewhere = by_pair(verdicts(solved(winner, found | {"source": 5}), 0.0))
    assert {pair for pair, row in elsewhere.items() if row["status"] == "active"} == {(0, 1), (5, 2)}


def test_of_several_that_win_live_the_one_that_most_come_through_stays():
    rows = [{"source": s, "rewrite": r, "passing": c, "is_best": False, "p_live": 0.9} for s, r, c in WINNERS]
    judged = by_pair(verdicts(solved(*rows), 0.0))
    assert {pair for pair, row in judged.items() if row["status"] == "active"} == {(0, 2), (3, 4)}
    assert judged[0, 1]["reason"] == STAYING


def test_the_share_of_a_pair_that_stays_times_its_success_is_what_its_traffic_shows():
    row = {"source": 0, "rewrite": 1, "passing": 0.04, "p": 0.8}
    shares = [by_pair(verdicts(solved(row | {"p_live": p}), 0.0))[0, 1]["share"] for p in (0.6, 0.95)]
    assert shares == pytest.approx([0.75, 1.0])
    found = by_pair(verdicts(solved(row | {"passing": 0.48, "p_live": 0.4}), 0.0))[0, 1]
    assert (found["reason"], found["share"]) == ("certified best", pytest.approx(0.8))


def test_a_pair_that_wins_live_gives_way_like_any_other_when_its_rewrite_is_itself_rewritten():
    winner = {"source": 0, "rewrite": 1, "passing": 0.03, "p_live": 0.9}
    onward = {"source": 1, "rewrite": 2, "passing": 0.5}
    end = {"source": 0, "rewrite": 2, "passing": 0.2, "is_best": False}
    alone = by_pair(verdicts(solved(winner, onward), 0.0))
    assert (alone[0, 1]["status"], alone[0, 1]["reason"]) == ("rejected", "its rewrite is itself rewritten")
    assert alone[0, 1]["share"] == pytest.approx(0.05)
    judged = by_pair(verdicts(solved(winner, onward, end), 0.0))
    assert [pair for pair, row in judged.items() if row["status"] == "active"] == [(1, 2), (0, 2)]


def test_two_readings_of_which_one_form_is_rewritten_itself_are_told_by_the_form():
    first = {"source": 0, "rewrite": 7, "form": 1, "passing": 0.3}
    onward = {"source": 1, "rewrite": 8, "form": 2, "passing": 0.5}
    judged = by_pair(verdicts(solved(first, onward), 0.0))
    assert judged[0, 7]["reason"] == "its rewrite is itself rewritten"
    assert judged[1, 8]["status"] == "active"


def test_requests_that_lead_to_each_other_end_without_a_rewrite():
    source, rewrite = np.array([0, 1, 2]), np.array([1, 2, 0])
    active, reason = final_targets(source, rewrite, np.ones(3, bool), np.array(["best"] * 3, object), np.ones(3, bool))
    assert not active.any()
    assert set(reason) == {"its rewrite is itself rewritten"}


def test_no_pairs_give_no_verdicts():
    empty = solved({"source": 0, "rewrite": 1, "passing": 0.1}).slice(0, 0)
    assert verdicts(empty, 0.0).num_rows == 0
