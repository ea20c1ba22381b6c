"""Visits and their sums against a slow, obvious count of the same log; parts of a log add up to the whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rewriter.markov.states import state_number
from rewriter.markov.support import day_words
from rewriter.markov.tally import FORM, MOVED, OUTCOME, PAIR, SAID, SERVED, TRANSITION, VOTE
from rewriter.markov.visits import Shifts, given_rephrases, next_in_session, run_numbers, visits_of
from rewriter.settings import Mine
from rewriter.text import normalise
from tests.markov.slow_log import (
    DECAY,
    MINE,
    USER_CAP,
    SlowLog,
    half_up,
    random_turns,
    slow_flows,
    slow_support,
    slow_votes,
    table_of,
    tallied,
)


def added(tables: list[pa.Table]) -> dict[tuple[int, ...], list[Any]]:
    """The sums of all parts but the forms, as Spark adds them up."""
    sums: dict[tuple[int, ...], list[Any]] = {}
    for row in (row for table in tables for row in table.to_pylist() if row["kind"] != FORM):
        key = (row["kind"], row["source"], row["via"], row["target"])
        bits = sum(row[name] << (63 * k) for k, name in enumerate(day_words(len(DECAY))))
        a, b, days, first, last = sums.get(key, [0, 0, 0, 2**62, 0])
        sums[key] = [a + row["a"], b + row["b"], days | bits, min(first, row["first"]), max(last, row["last"])]
    return {
        key: [a, b, days.bit_count(), first, last] if key[0] == PAIR else [a, b]
        for key, (a, b, days, first, last) in sums.items()
    }


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_those_of_a_slow_count(seed: int):
    log = SlowLog(random_turns(seed))
    found = added([tallied(random_turns(seed))])
    # A vote is split by sums of weights, whose order may change the last millionth.
    votes = {key: found.pop(key) for key in [key for key in found if key[0] == VOTE]}
    assert found == slow_flows(log) | slow_support(log)
    expected = slow_votes(log)
    assert {key: b for key, (_, b) in votes.items()} == {key: b for key, (_, b) in expected.items()}
    assert all(abs(votes[key][0] - expected[key][0]) <= 5 for key in expected)
    assert {key[0] for key in [*found, *votes]} == {TRANSITION, OUTCOME, SERVED, MOVED, PAIR, VOTE, SAID}


def test_without_pooling_a_turn_without_a_reading_succeeds_as_its_wording():
    row = random_turns(0)[0] | {"utterance": "stop", "served": None, "reading": None, "defect": 0.25, "day": "d69"}
    row |= {"rephrase_turn_id": None, "weight": 0.0}

    def ends(pooled: bool) -> list[int]:
        return next([r["a"], r["b"]] for r in tallied([row], pooled).to_pylist() if r["kind"] == OUTCOME)

    scale = DECAY["d69"]
    assert ends(pooled=False) == [half_up(0.75 * scale), half_up(0.25 * scale)]
    assert ends(pooled=True) == [0, half_up(scale)]


def test_one_user_gives_a_state_at_most_the_cap():
    one = random_turns(0)[0] | {"utterance": "stop", "served": None, "reading": "music|stop|", "defect": 0.5, "weight": 0.0}
    rows = [one | {"turn_id": f"t{k}", "session_id": f"s{k}", "day": "d69"} for k in range(40)]
    flows = [r for r in tallied(rows).to_pylist() if r["kind"] in (OUTCOME, TRANSITION)]
    assert sum(r["b"] for r in flows) == pytest.approx(0.5 * USER_CAP * 1e6, rel=1e-3)
    assert sum(r["a"] for r in flows if r["kind"] == TRANSITION) == pytest.approx(0.5 * USER_CAP * 1e6, rel=1e-3)


def test_one_user_gives_the_log_at_most_the_total_cap_however_many_words_he_says():
    one = random_turns(0)[0] | {"served": None, "reading": None, "defect": 1.0, "weight": 0.0, "day": "d69"}
    rows = [one | {"turn_id": f"t{k}", "utterance": f"words {k}"} for k in range(60)]
    other = one | {"turn_id": "z", "user_id": "u99", "utterance": "words"}
    table = table_of([*rows, other])
    visits = visits_of(table, given_rephrases(table), np.ones(61), DECAY, Mine(user_total_cap=20.0))
    assert visits.scale[:60].sum() == pytest.approx(20.0, abs=1e-4)
    assert visits.scale[60] == DECAY["d69"]


def test_a_turn_served_in_its_own_words_or_in_none_was_served_as_it_is():
    row = random_turns(0)[0] | {"utterance": "stop", "reading": None, "day": "d69", "weight": 0.0}
    for served in ("Stop!", "?!"):
        assert {r["kind"] for r in tallied([row | {"served": served}]).to_pylist()} == {OUTCOME, FORM, SAID}


def test_a_shift_moves_the_defects_of_its_wording_alone():
    rows = [row | {"served": None} for row in random_turns(2)]
    table = table_of(rows)
    defect = np.asarray(table.column("defect"), np.float64)
    plain = visits_of(table, given_rephrases(table), defect, DECAY, MINE)
    number = state_number("en-US", "play beat it")
    shifts = Shifts(np.array([number]), np.array([2.0]))
    moved = visits_of(table, given_rephrases(table), defect, DECAY, MINE, shifts)
    own = plain.states.number[plain.state] == number
    assert (moved.defect[own] > np.minimum(plain.defect[own], 0.98)).all()
    assert (moved.defect[~own] == plain.defect[~own]).all()


def test_parts_of_whole_users_add_up_to_the_whole():
    rows = random_turns(3, n_users=20)
    whole = tallied(rows)
    parts = [tallied([row for row in rows if int(row["user_id"][1:]) % 3 == k]) for k in range(3)]
    assert added(parts) == added([whole])

    def forms(tables: list[pa.Table]) -> dict[tuple[Any, ...], int]:
        counted: dict[tuple[Any, ...], int] = defaultdict(int)
        for row in (row for table in tables for row in table.to_pylist() if row["kind"] == FORM):
            counted[row["source"], row["locale"], row["text"], row["domain"], row["intent"]] += row["a"]
        return dict(counted)

    assert forms(parts) == forms([whole])
    said = [row for row in rows if normalise(row["utterance"])]
    assert sum(forms([whole]).values()) == len(said)
    one = said[0]
    text = normalise(one["utterance"])
    same = [(row["locale"], normalise(row["utterance"]), row["domain"], row["intent"]) for row in said]
    key = (one["locale"], text, one["domain"], one["intent"])
    assert forms([whole])[(state_number(*key[:2]), *key)] == same.count(key)


def test_what_was_only_served_is_named_with_no_turn_of_its_own():
    row = random_turns(0)[0] | {"utterance": "play feet it", "served": "Play  BEAT it", "weight": 0.0}
    forms = [r for r in tallied([row]).to_pylist() if r["kind"] == FORM]
    assert [(r["text"], r["a"]) for r in forms] == [("play feet it", 1), ("play beat it", 0)]


def test_adjacency_ends_with_the_session_and_with_the_gap():
    session = run_numbers(pa.chunked_array([["a", "a", "a", "b"]]), pa.chunked_array([["1", "1", "1", "1"]]))
    at = np.array([0, 45, 91, 92]) * 1_000_000
    words = (np.array([0, 1, 0, 1]), ["play feet it", "play beat it"])
    links = next_in_session(session, at, words, 45.0)
    assert (links.row.tolist(), links.is_given) == ([1, -1, -1, -1], False)
    assert links.chance[0] > 0
    assert not links.chance[1:].any()


def test_the_majority_is_that_of_the_latest_turns():
    one = random_turns(0)[0] | {"served": None, "defect": 0.0, "weight": 1.0}

    def said(user: int, day: str, later: str) -> list[dict[str, Any]]:
        first = one | {"user_id": f"u{user:02}", "session_id": f"{user}{day}", "day": day, "turn_id": f"{user}{day}a"}
        first |= {"utterance": "watch it", "reading": None, "defect": 1.0, "rephrase_turn_id": f"{user}{day}b"}
        other = first | {"turn_id": f"{user}{day}b", "utterance": later, "reading": later, "defect": 0.0}
        return [first, other | {"rephrase_turn_id": None, "weight": 0.0}]

    # Three users meant the film long ago; one of them and a new one have meant the game since.
    before = [row for user in range(3) for row in said(user, "d00", "film")]
    since = [row for user in (2, 3) for row in said(user, "d69", "game")]
    rows = sorted(before + since, key=lambda row: (row["user_id"], row["session_id"], row["turn_id"]))
    source, game, film = (state_number(one["locale"], key) for key in ("watch it", "game", "film"))
    cast = {r["target"]: r["a"] for r in tallied(rows).to_pylist() if (r["kind"], r["source"]) == (VOTE, source)}
    assert cast[game] > 1_700_000 > 2 * cast[film]
