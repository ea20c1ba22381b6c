"""The chain's solver at every size, beside what else could be used; writes benchmarks/results/chain.json and a picture.

Every size is solved in a process of its own, from counts in memory to an answer for every source.

example: python -m benchmarks.chain.run --sizes 1000 10000 100000 --pydtmc .venv-pydtmc/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.chain.picture import picture

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIZES = (1_000, 10_000, 100_000, 1_000_000, 2_000_000, 10_000_000)
#: Largest sizes that the alternatives are asked for.
MOST = {"dense": 5_000, "exact": 100_000, "series": 2_000_000}
SAMPLE = {"dense": 1000, "exact": 20, "series": 4096}
#: Harder graphs than the rows': (what, states, wander, least visits).
VARIANTS = (
    ("no goals: every edge of the giant component leads anywhere", 100_000, 1.0, 10.0),
    ("small counts: states visited three times", 100_000, 0.2, 3.0),
)

Row = dict[str, object]


def _run(*command: str) -> Row:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(what: str, folder: str, **options: object) -> Row:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return _run(sys.executable, "-m", "benchmarks.chain.measure", what, folder, *flags)


def size_rows(n: int, args: argparse.Namespace) -> tuple[Row, list[Row]]:
    """The solver's row of one size, and the rows of the alternatives that can do it."""
    with tempfile.TemporaryDirectory() as folder:
        graph = _measure("make", folder, states=n)
        row = _measure(
            "solve", folder, threads=args.threads, repeats=min(args.repeats, 2) if n > 5_000_000 else args.repeats
        )
        print(f"{n:>9,} states: {row['seconds']:.2f} s, {row['peak_memory_gb']:.2f} GB", flush=True)
        others = [_measure(what, folder, sample=SAMPLE[what]) for what, most in MOST.items() if n <= most]
        if args.pydtmc and n <= 1_000:
            others.append(_run(args.pydtmc, str(HERE / "pydtmc_rows.py"), folder))
        return row | {"graph": graph}, others


def variant_row(name: str, n: int, wander: float, least_visits: float, args: argparse.Namespace) -> Row:
    """The solver on a harder graph; what was promised of the rows' graphs is not checked there."""
    with tempfile.TemporaryDirectory() as folder:
        graph = _measure("make", folder, states=n, wander=wander, least_visits=least_visits)
        row = _measure("solve", folder, threads=args.threads, repeats=args.repeats)
        return {"variant": name} | row | {"graph": graph}


def summary(rows: list[Row], others: list[Row]) -> Row:
    """The figures that the targets speak of."""
    by = {row["n_states"]: row for row in rows}
    found: Row = {}
    if {2_000_000, 10_000_000} <= by.keys():
        per_edge = [by[n]["seconds"] / by[n]["n_edges"] for n in (2_000_000, 10_000_000)]  # type: ignore[operator]
        found["seconds_per_edge_1e7_over_2e6"] = per_edge[1] / per_edge[0]
    for other in others:
        if other["name"] == "sparse LU (SciPy splu)" and other["n_states"] == 100_000:
            ours = float(by[100_000]["seconds"]) / 100_000  # type: ignore[arg-type]
            found["times_faster_than_lu_per_source"] = float(other["seconds_per_source"]) / ours  # type: ignore[arg-type]
            whole = float(other["seconds_per_source_with_factor"])  # type: ignore[arg-type]
            found["times_faster_than_lu_per_source_with_factor"] = whole / ours
    return found


def write(result: dict[str, Any], args: argparse.Namespace) -> None:
    """Write what is measured so far, and draw it."""
    result["summary"] = summary(result["rows"], result["alternatives"])
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    args.picture.write_text(picture(result), "utf-8")


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pydtmc", help="the Python of an environment that has PyDTMC; left out without it")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/chain.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/pictures/chain_solver.svg")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "what": "every source answered, seconds from counts in memory; the fastest of the runs, compiling left out; "
        "shares certified, tied (a gap below 1e-9) and open are of the sources from which success can be reached",
        "rows": [],
        "alternatives": [],
        "variants": [],
    }
    args.json.parent.mkdir(parents=True, exist_ok=True)
    for n in args.sizes:
        row, others = size_rows(n, args)
        result["rows"] += [row]
        result["alternatives"] += others
        write(result, args)
    for variant in VARIANTS:
        result["variants"] += [variant_row(*variant, args)]
        write(result, args)
    print(json.dumps(result["summary"]))


if __name__ == "__main__":
    main()
