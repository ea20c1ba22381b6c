"""Random turns of whole users, and the same sums as `rewriter.markov.tally` counted turn by turn, slowly and plainly."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from rewriter.markov.states import state_number
from rewriter.markov.support import MAX_HOPS, MIN_SUPPORT, UNDERSTOOD
from rewriter.markov.tally import MOVED, OUTCOME, PAIR, SAID, SERVED, TRANSITION, VOTE, tally
from rewriter.markov.visits import given_rephrases, visits_of
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
        user, s, fade = row["user_id"], log.state(row), DECAY[row["day"]]
        for target, other in log.ways(row):
            came[s, target] |= set()
            if other is not row and other["defect"] < UNDERSTOOD:
                cast[user, s][target] += fade * log.weight(row)
                rows_of[user, s, target].append(fade * log.weight(row))
                came[s, target].add(user)
        if not log.live(row) and row["reading"] is not None and row["defect"] < UNDERSTOOD:
            came[s, log.unit(row, s)].add(user)
    votes: dict[tuple[int, ...], list[int]] = {(VOTE, *_pair(pair)): [0, len(users)] for pair, users in came.items()}
    for (user, s, target), weights in rows_of.items():
        whole = sum(cast[user, s].values())
        surest = max(max(rows_of[user, s, other]) for other in cast[user, s])
        votes[VOTE, s, 0, target][0] += sum(half_up(surest * weight / whole) for weight in weights)
    return votes


def _pair(pair: tuple[int, int]) -> tuple[int, int, int]:
    return pair[0], 0, pair[1]
