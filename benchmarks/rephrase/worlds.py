"""Simulated sets with planted truth: four domains in English, and worlds in Devanagari and in kana without spaces."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.rephrase.scripts import devanagari, in_script, kana
from benchmarks.rephrase.sets import Gold, Log, with_rule_defects
from rewriter.simulation.chance import unit
from rewriter.simulation.simulate import simulate
from rewriter.simulation.tables import truth_table, turns_table
from rewriter.simulation.world import World

#: Set -> domains of the goals that its sources ask for.
DOMAINS = {
    "en media": ("music", "video"),
    "en home": ("lights", "climate", "timers", "alarms"),
    "en errands": ("lists", "calls", "navigation", "services"),
    "en questions": ("weather", "general"),
}
_WINDOW = 3
#: Times as many users of the English world: its rarest domains need them for some hundreds of rephrases a set.
ENGLISH = 5


def _prefixed(table: pa.Table, prefix: str, names: Iterable[str]) -> pa.Table:
    """The table with ids that no other world has."""
    for name in names:
        ids = pa.array([f"{prefix}:{value}" for value in table[name].to_pylist()])
        table = table.set_column(table.column_names.index(name), name, ids)
    return table


def _gold(turns: pa.Table, truth: pa.Table) -> dict[str, Gold]:
    """Truth by turn: of the next three turns of the session, those of the same goal say a failed turn again."""
    goal = dict(zip(truth["turn_id"].to_pylist(), truth["goal"].to_pylist(), strict=True))
    failed = dict(zip(truth["turn_id"].to_pylist(), truth["defective"].to_pylist(), strict=True))
    keys = ["session_id", "at", "turn_id"]
    order = turns.select(keys).sort_by([(name, "ascending") for name in keys])
    session, ids = order["session_id"].to_pylist(), order["turn_id"].to_pylist()
    gold = {}
    for place, turn in enumerate(ids):
        window = range(place + 1, min(place + 1 + _WINDOW, len(ids)))
        again = [ids[k] for k in window if session[k] == session[place] and goal[ids[k]] == goal[turn]]
        gold[turn] = Gold(failed[turn], goal[turn], frozenset(again) if failed[turn] else frozenset())
    return gold


def _in_test(turns: pa.Table) -> pa.Array:
    """Which turns are of the half of the users that is scored."""
    return pa.array([unit("half", user) < 0.5 for user in turns["user_id"].to_pylist()])


def _named(gold: dict[str, Gold], domains: Iterable[str] | None) -> frozenset[str]:
    return frozenset(t for t, truth in gold.items() if domains is None or truth.meaning.split(".")[0] in domains)


def simulated(users: int, days: int, seed: int, max_gap_s: float) -> Log:
    """One log of three worlds: English, scored by domain, and two in other scripts; half of the users are held out.

    ``users`` are those of each other script; English has `ENGLISH` times as many.
    """
    tables: list[pa.Table] = []
    gold: dict[str, Gold] = {}
    sets: dict[str, frozenset[str]] = {}
    for place, (name, word, gap) in enumerate((("en-US", None, ""), ("hi-IN", devanagari, " "), ("ja-JP", kana, ""))):
        world = simulate(World(seed + place), users if word else ENGLISH * users, range(days))
        turns = _prefixed(turns_table(world), name, ("turn_id", "user_id", "session_id"))
        of_world = _gold(turns, _prefixed(truth_table(world), name, ("turn_id",)))
        sets |= {n: _named(of_world, d) for n, d in DOMAINS.items()} if word is None else {name: _named(of_world, None)}
        tables.append(turns if word is None else in_script(turns, name, word, gap))
        gold |= of_world
    log = pa.concat_tables(tables)
    test = log.filter(_in_test(log))
    train = log.filter(pc.invert(_in_test(log)))
    return Log("simulated", max_gap_s, with_rule_defects(train), with_rule_defects(test), gold, sets)
