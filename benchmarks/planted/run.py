"""How many of the planted pairs the miner finds, how many of its own are right, and what it makes of logs without any.

`python -m jobs.mine_rewrites` reads the turns alone, with default settings: rule labels and adjacency. Each kind of target
(`[mine] states`) is measured on an ordinary log and on the controls, each of a million turns or more. Truth is what the
simulator knows.

precision             active pairs that do better than their source and what most who say it mean
repaired              recall of the sources of `truth_pairs` with n_repair_users >= min_users: as many users as a pair needs
                      failed with it and then, in the same session, reached the same goal in other words
repaired and allowed  those of them whose true pair the run-time guards do not refuse
said                  recall of the sources with n_users >= min_users, whose users may never have shown how to mend them

Prints a table; writes JSON.

example: python -m benchmarks.planted.run --users 3000 --days 14 --json /tmp/small.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from benchmarks.planted.log import Log, config_of
from benchmarks.planted.score import Truth, score
from benchmarks.real import ROOT
from rewriter.config import read_settings
from rewriter.settings import Settings

#: Users for a million turns or more in 21 days. Who does not fail says nothing again, so it takes more of them.
USERS = {"ordinary": 30_000, "no_failures": 31_000, "shuffled": 30_000}
STATES = ("interpretation", "wording")
RESULTS = ROOT / "benchmarks/results/planted.json"


def settings_of(log: Log, states: str) -> Settings:
    """The settings a run had."""
    return read_settings(log.home / f"{states}.toml")


def measure(log: Log, states: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Simulate one log and mine it for each kind of target: one row each."""
    log.simulate()
    said = log.said()
    counts = {
        "scenario": log.scenario,
        "turns": said.num_rows,
        "users": pc.count_distinct(said.column("user_id")).as_py(),
        "defective": round(float(pc.mean(said.column("defective")).as_py()), 4),
    }
    truth = Truth(log.world(), said)
    for kind in states:
        pairs, seconds = log.mine(kind)
        row = counts | {"states": kind, "mine_s": seconds, "pairs": pairs.num_rows}
        if log.scenario == "ordinary":
            row |= score(truth, pairs, log.truth_pairs(), settings_of(log, kind))
        else:
            active = pairs.filter(pc.equal(pairs.column("status"), "active"))
            named = zip(active.column("source").to_pylist(), active.column("rewrite").to_pylist(), strict=True)
            row |= {"active": active.num_rows, "wrong": [" -> ".join(pair) for pair in named]}
        yield row


def _percent(part: dict[str, float] | None) -> str:
    if part is None:
        return "-".rjust(27)
    return f"{100 * part['share']:.1f} [{100 * part['low']:.1f}, {100 * part['high']:.1f}] of {part['n']:,}".rjust(27)


HEADER = f"{'log':12} {'turns':>10} {'states':15} {'active':>6} " + " ".join(
    name.rjust(27) for name in ("precision, %", "repaired, %", "repaired and allowed, %", "said, %")
)


def table_row(row: dict[str, Any]) -> str:
    """One line of the table."""
    recall = row.get("recall", {})
    shares = [row.get("precision"), *(recall.get(name) for name in ("repaired", "repaired_and_allowed", "said"))]
    start = f"{row['scenario']:12} {row['turns']:>10,} {row['states']:15} {row['active']:>6,}"
    return " ".join([start, *map(_percent, shares)])


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, help=f"of every log (default {USERS})")
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--scenarios", nargs="+", choices=list(USERS), default=list(USERS))
    parser.add_argument("--states", nargs="+", choices=STATES, default=list(STATES))
    parser.add_argument("--folder", type=Path, help="logs are kept here, and one that is here is used again")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    args = arguments_of(argv)
    print(HEADER)
    result: dict[str, Any] = {"days": args.days, "seed": args.seed}
    result |= {"configs": {kind: config_of(kind) for kind in args.states}, "runs": []}
    args.json.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        for scenario in args.scenarios:
            log = Log(scenario, args.users or USERS[scenario], args.days, args.seed, folder)
            for row in measure(log, args.states):
                print(table_row(row), flush=True)
                result["runs"].append(row)
                args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    for row in result["runs"]:
        if "missed_of_repaired" in row:
            print(f"\nmissed of repaired, {row['states']}:")
            print("\n".join(f"{n:>6}  {reason}" for reason, n in row["missed_of_repaired"].items()))


if __name__ == "__main__":
    main()
