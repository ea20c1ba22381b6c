"""Simulate an assistant's log with known truth: DIR/turns, DIR/truth, DIR/truth_pairs and DIR/outcomes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.command import Parser, run_main
from jobs.storage import whole_folder
from rewriter.errors import RewriterError
from rewriter.parquet import parquet_files
from rewriter.simulation.exchange import PairRewriter
from rewriter.simulation.scenario import SCENARIOS
from rewriter.simulation.simulate import simulate
from rewriter.simulation.tables import by_day, outcomes_table, truth_pairs_table, truth_table, turns_table
from rewriter.simulation.truth import true_pairs
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World


def _parser() -> Parser:
    parser = Parser(
        prog="rewriter simulate",
        description=(__doc__ or "").strip(),
        epilog="example: rewriter simulate --out demo/log --users 2500 --days 21 --seed 7\n"
        "         rewriter simulate --out demo/next --users 2500 --days 3 --seed 7 --first-day 21 --pairs demo/pairs\n\n"
        "scenarios:\n" + "\n".join(f"  {s.name:12} {s.summary}" for s in SCENARIOS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables; each is replaced as a whole")
    parser.add_argument("--users", type=int, required=True, help="how many users")
    parser.add_argument("--days", type=int, required=True, help="how many days")
    parser.add_argument("--seed", type=int, required=True, help="the world: names, popularity, users, and what happens")
    parser.add_argument(
        "--scenario", choices=list(SCENARIOS), default="ordinary", help="a peculiar world (default ordinary)"
    )
    parser.add_argument("--start", type=date.fromisoformat, default=date(2026, 3, 2), help="date of the world's day 0")
    parser.add_argument("--first-day", type=int, default=0, help="day of the world to begin with: chains runs of one seed")
    parser.add_argument("--flip-day", type=int, help="day on which what the scenario changes changes (default: the middle)")
    parser.add_argument("--pairs", type=Path, help="rewrite_pairs (or a bundle's pairs.parquet) to serve; active ones only")
    parser.add_argument("--holdout", type=float, default=0.0, help="share of a pair's traffic withheld (default 0)")
    return parser


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    arguments = parser.parse_args(argv)
    for name, least in (("users", 1), ("days", 1), ("first_day", 0)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name.replace('_', '-')} is {getattr(arguments, name)}, at least {least} is needed")
    if not 0.0 <= arguments.holdout <= 1.0:
        parser.error(f"--holdout is {arguments.holdout}, expected a share in 0..1")
    if arguments.flip_day is None:
        arguments.flip_day = arguments.first_day or arguments.days // 2
    return arguments


def read_pairs(path: Path, holdout: float) -> PairRewriter:
    """A rewriter that serves the active pairs of a table.

    Raises
    ------
    RewriterError
        If there is nothing to read, or the columns of pairs are missing.
    """
    rows: dict[tuple[str, str], str] = {}
    for file in parquet_files(path):
        try:
            table = pq.ParquetFile(file).read()
        except pa.ArrowInvalid as error:
            raise RewriterError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0]})") from error
        if missing := {"source", "rewrite"} - set(table.column_names):
            raise RewriterError(f"{file}: no pairs in it, missing {', '.join(sorted(missing))}")
        for row in table.to_pylist():
            if row.get("status", "active") == "active":
                rows[row.get("locale", "en-US"), row["source"]] = row["rewrite"]
    return PairRewriter(rows, holdout)


def write_log(world: World, turns: Sequence[Turn], out: Path) -> dict[str, int]:
    """Write the tables of a simulated log below ``out``; the counts of their rows."""
    pairs = true_pairs(world, turns)
    with whole_folder(out / "truth") as folder:
        pq.write_table(truth_table(turns), folder / "part-0.parquet")
    with whole_folder(out / "truth_pairs") as folder:
        pq.write_table(truth_pairs_table(pairs), folder / "part-0.parquet")
    with whole_folder(out / "outcomes") as folder:
        pq.write_table(outcomes_table(turns), folder / "part-0.parquet")
    with whole_folder(out / "turns") as folder:
        for day, of_day in by_day(turns).items():
            (folder / f"day={day}").mkdir()
            pq.write_table(turns_table(of_day), folder / f"day={day}" / "part-0.parquet")
    return {
        "turns": len(turns),
        "users": len({turn.user_id for turn in turns}),
        "sessions": len({turn.session_id for turn in turns}),
        "defective": sum(not turn.ok for turn in turns),
        "rewritten": sum(turn.answer.served is not None for turn in turns),
        "truth_pairs": len(pairs),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Simulate and write; the counts."""
    arguments = _arguments(argv)
    world = World(arguments.seed, arguments.scenario, arguments.flip_day)
    rewriter = read_pairs(arguments.pairs, arguments.holdout) if arguments.pairs else None
    days = range(arguments.first_day, arguments.first_day + arguments.days)
    turns = simulate(world, arguments.users, days, arguments.start, rewriter)
    if not turns:
        raise RewriterError(f"{arguments.users} user(s) said nothing in {arguments.days} day(s): simulate more of either")
    counts = write_log(world, turns, arguments.out)
    print(", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items()))
    return counts


if __name__ == "__main__":
    run_main(main)
