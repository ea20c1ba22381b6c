"""Give a scheduled run its log: the last days up to a day, as a folder of links to the partitions of a growing log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jobs.command import job_parser, run_main
from jobs.storage import whole_folder
from rewriter.errors import RewriterError

_PARTITION = re.compile(r"day=(\d{4}-\d{2}-\d{2})$")


def window_of(turns: Path, last: date, n_days: int) -> list[Path]:
    """Partitions of the ``n_days`` days that end with ``last``, in time order.

    Raises
    ------
    RewriterError
        If the log has no partition of the last day or none in the window, or is not partitioned by day.
    """
    if not turns.is_dir():
        raise RewriterError(f"no such folder: {turns}")
    dated = [(date.fromisoformat(m[1]), p) for p in sorted(turns.iterdir()) if (m := _PARTITION.search(p.name))]
    if not dated:
        raise RewriterError(f"{turns} is not partitioned by day (no folder day=YYYY-MM-DD)")
    first = last - timedelta(days=n_days - 1)
    inside = [path for day, path in dated if first <= day <= last]
    if not inside:
        raise RewriterError(f"no turns between {first} and {last}; the log holds {dated[0][0]} to {dated[-1][0]}")
    if last not in dict(dated):
        raise RewriterError(f"no turns of {last}, the last day of the window: {turns / f'day={last}'} is missing")
    return inside


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Link the window's partitions into ``--out``; the files themselves are not copied."""
    parser = job_parser("window", __doc__, "--turns log/turns --last-day 2026-03-01 --n-days 28 --out runs/2026-03-01/turns")
    parser.add_argument("--turns", type=Path, required=True, help="turns table, one folder a day")
    parser.add_argument("--last-day", type=date.fromisoformat, required=True, help="YYYY-MM-DD, the last day of the window")
    parser.add_argument("--n-days", type=int, default=28, help="days in the window (default 28)")
    args = parser.parse_args(argv)
    partitions = window_of(args.turns.resolve(), args.last_day, args.n_days)
    with whole_folder(args.out) as folder:
        for partition in partitions:
            (folder / partition.name).mkdir()
            for file in sorted(partition.glob("*.parquet")):
                (folder / partition.name / file.name).symlink_to(file)
    return {"days": len(partitions)}


if __name__ == "__main__":
    run_main(main)
