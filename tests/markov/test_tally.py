"""Visits and their sums against a slow, obvious count of the same log; parts of a log add up to the whole."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rewriter.markov.states import state_number
from rewriter.markov.support import MAX_HOPS, MIN_SUPPORT, UNDERSTOOD, day_words
from rewriter.markov.tally import FORM, MOVED, OUTCOME, PAIR, SAID, SERVED, TRANSITION, VOTE, tally
from rewriter.markov.visits import Shifts, given_rephrases, next_in_session, run_numbers, visits_of
from rewriter.settings import Mine
from rewriter.text import normalise

DECAY = {f"d{k:02d}": 0.98 ** (70 - k) for k in range(70)}
USER_CAP = 1.5
MINE = Mine(user_cap=USER_CAP)
TEXTS = ["Play Feet it", "play feet it!", "play beat it", "stop", "what now", "?!"]


def random_turns(seed: int, n_users: int = 25) -> list[dict[str, Any]]:
    """Turns in the order of the workers: by user, session, then as they were said."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for session in range(int(rng.integers(1, 5))):
            day = int(rng.integers(0, 70))
            for turn in range(int(rng.integers(1, 7))):
                served = str(rng.choice(TEXTS)) if rng.random() < 0.3 else None
                rows.append(
                    {
                        "turn_id": f"{user}-{session}-{turn}",
                        "user_id": f"u{user:02d}",
                        "session_id": f"s{session}",
                        "at": day * 86_400_000_000 + session * 10**9 + turn * int(rng.integers(2, 30)) * 10**6,
                        "day": f"d{day:02d}",
                        "locale": "en-US" if rng.random() < 0.8 else "de-DE",
                        "utterance": str(rng.choice(TEXTS)),
                        "domain": "music" if rng.random() < 0.6 else None,
                        "intent": str(rng.choice(["play", "stop"])) if rng.random() < 0.5 else None,
                        "reading": str(rng.choice(["music|play|", "music|stop|"])) if rng.random() < 0.7 else None,
                        "served": served,
                        "defect": round(float(rng.random()), 3),
                        "rephrase_turn_id": None,
                        "weight": None,
                    }
                )
    ids = [row["turn_id"] for row in rows]
    for row in rows:
        if rng.random() < 0.5:
            # Mostly within the session, now and then anywhere: such links count for nothing.
            user, session, turn = row["turn_id"].split("-")
            near = f"{user}-{session}-{int(turn) + int(rng.integers(1, 3))}"
            row["rephrase_turn_id"] = near if rng.random() < 0.9 else str(rng.choice(ids))
            row["weight"] = round(float(rng.random()), 3)
    return rows


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(rows)
    at = table.column("at").cast(pa.timestamp("us", tz="UTC"))
    table = table.set_column(table.column_names.index("at"), "at", at)
    for name in ("served", "domain", "intent", "reading", "rephrase_turn_id"):
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(pa.string()))
    return table


def tallied(rows: list[dict[str, Any]], pooled: bool = True) -> pa.Table:
    table = table_of(rows)
    defect = np.asarray(table.column("defect"), np.float64)
    return tally(visits_of(table, given_rephrases(table), defect, DECAY, MINE, pooled=pooled), len(DECAY))


def half_up(weight: float) -> int:
    return int(np.floor(weight * 1_000_000 + 0.5))


class SlowLog:
    """The same log, counted turn by turn."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.said = {row["turn_id"]: row for row in rows if normalise(row["utterance"])}
        self.given: dict[tuple[str, int], int] = defaultdict(int)
        for row in self.said.values():
            collapsed = self.weight(row) if self.following(row) is not None and not self.moves(row) else 0.0
            self.given[row["user_id"], self.state(row)] += half_up(DECAY[row["day"]] * (1 - collapsed))

    def state(self, row: dict[str, Any]) -> int:
        return state_number(row["locale"], normalise(row["utterance"]))

    def live(self, row: dict[str, Any]) -> bool:
        return row["served"] is not None and normalise(row["served"]) not in ("", normalise(row["utterance"]))

    def following(self, row: dict[str, Any]) -> dict[str, Any] | None:
        other = self.said.get(row["rephrase_turn_id"])
        same = other is not None and (other["user_id"], other["locale"]) == (row["user_id"], row["locale"])
        return other if same else None

    def moves(self, row: dict[str, Any]) -> bool:
        other = self.following(row)
        return other is not None and self.state(other) != self.state(row)

    def weight(self, row: dict[str, Any]) -> float:
        return float(row["weight"]) if self.following(row) is not None else 0.0

    def scale(self, row: dict[str, Any]) -> float:
        given = self.given[row["user_id"], self.state(row)] / 1e6
        return DECAY[row["day"]] * min(1.0, USER_CAP / max(given, 1e-9))

    def unit(self, row: dict[str, Any], said: int) -> int:
        """What a turn is as a target: its reading, else what was said."""
        return said if row["reading"] is None else state_number(row["locale"], row["reading"])

    def ways(self, row: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        """Targets after this turn in its chain of strong rephrases, with the turns they come from; its own, if served."""
        found, here = [], row
        if self.live(row):
            found.append((self.unit(row, served_state(row)), row))
        for _ in range(MAX_HOPS):
            other = self.following(here)
            if other is None or self.weight(here) < MIN_SUPPORT:
                break
            if self.state(other) != self.state(row):
                found.append((self.unit(other, self.state(other)), other))
            here = other
        return [(target, other) for target, other in found if target != self.state(row)]


def served_state(row: dict[str, Any]) -> int:
    return state_number(row["locale"], normalise(row["served"]))


def slow_flows(log: SlowLog) -> dict[tuple[int, ...], list[int]]:
    """(kind, source, via, target) -> [a, b] of transitions, outcomes and served pairs."""
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
    users: dict[tuple[int, ...], set[str]] = defaultdict(set)
    for row in log.said.values():
        s, live, scale, stay = log.state(row), log.live(row), log.scale(row), 1 - log.weight(row)
        lost = row["reading"] is None
        failing = 1.0 if lost else row["defect"]
        success, failure = half_up(scale * stay * (1 - failing)), half_up(scale * stay * failing)
        ends = sums[(SERVED, s, 0, served_state(row)) if live else (OUTCOME, s, 0, 0)]
        ends[1] += failure
        if live or lost:
            ends[0] += success
        else:
            sums[TRANSITION, s, 1, log.unit(row, s)][0] += success
            users[TRANSITION, s, 1, log.unit(row, s)].add(row["user_id"])
            sums[OUTCOME, log.unit(row, s), 0, 0][0] += success
        if log.moves(row):
            target = log.state(log.following(row) or row)
            key = (MOVED, s, served_state(row), target) if live else (TRANSITION, s, 0, target)
            sums[key][0] += half_up(scale * log.weight(row))
            if not live and log.weight(row) >= MIN_SUPPORT:
                users[key].add(row["user_id"])
    for key, those in users.items():
        sums[key][1] = len(those)
    return dict(sums)


def slow_support(log: SlowLog) -> dict[tuple[int, ...], list[int]]:
    """(kind, source, via, target) -> [users, sessions, days, first, last] of pairs, [turns, users] of wordings."""
    sums: dict[tuple[int, ...], list[int]] = {}
    seen: dict[tuple[int, int], list[set[Any]]] = defaultdict(lambda: [set(), set(), set(), set()])
    said: dict[int, list[str]] = defaultdict(list)
    for row in log.said.values():
        said[log.state(row)].append(row["user_id"])
        named = (row["user_id"], (row["user_id"], row["session_id"]), row["day"], row["at"])
        for target in {target for target, _ in log.ways(row)}:
            for values, value in zip(seen[log.state(row), target], named, strict=True):
                values.add(value)
    for (s, target), (users, sessions, days, times) in seen.items():
        sums[PAIR, s, 0, target] = [len(users), len(sessions), len(days), min(times), max(times)]
    for s, users_of in said.items():
        sums[SAID, s, 0, 0] = [len(users_of), len(set(users_of))]
    return sums


def slow_votes(log: SlowLog) -> dict[tuple[int, ...], list[int]]:
    """(kind, source, via, target) -> [millionths of a vote, users who came to it]."""
    cast: dict[tuple[str, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    came: dict[tuple[int, int], set[str]] = defaultdict(set)
    rows_of: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for row in log.said.values():
        user, s = row["user_id"], log.state(row)
        for target, other in log.ways(row):
            came[s, target] |= set()
            if other is not row and other["defect"] < UNDERSTOOD:
                cast[user, s][target] += log.weight(row)
                rows_of[user, s, target].append(log.weight(row))
                came[s, target].add(user)
        if not log.live(row) and row["reading"] is not None and row["defect"] < UNDERSTOOD:
            came[s, log.unit(row, s)].add(user)
    votes: dict[tuple[int, ...], list[int]] = {(VOTE, *_pair(pair)): [0, len(users)] for pair, users in came.items()}
    for (user, s, target), weights in rows_of.items():
        whole = sum(cast[user, s].values())
        votes[VOTE, s, 0, target][0] += sum(half_up(weight / whole) for weight in weights)
    return votes


def _pair(pair: tuple[int, int]) -> tuple[int, int, int]:
    return pair[0], 0, pair[1]


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
