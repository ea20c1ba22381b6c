"""Time and memory of mining a generated log, and of its counting step beside DuckDB's.

`python -m jobs.mine_rewrites` runs as a process of its own; its peak memory is that of its whole process tree, the JVM
included, shared pages counted once. Then the job's counting step runs alone, and DuckDB counts the same rows from the same
files: both from given labels, without the passes that correct the rules' defects. Neither judges, solves or writes a pair.
Writes the figures as JSON.

example: python -m benchmarks.mining.run --turns 10000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.mining.counting import count_with_duckdb
from benchmarks.mining.log import write_log
from benchmarks.real import ROOT
from rewriter.settings import Settings

RESULTS = ROOT / "benchmarks/results/mining.json"
MINER = "import json, sys; from jobs.mine_rewrites import main; print('COUNTS', json.dumps(main(sys.argv[1:])))"
#: JVM heap of the run. Spark keeps its sorts and joins in it; Python workers have their own memory.
DRIVER_MEMORY = "5g"


def process_tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    tree = [pid]
    for one in tree:
        tree += children.get(one, [])
    return tree


def memory_gb(pid: int) -> float:
    """Proportional memory of one process in GiB: pages shared by several are divided among them; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**20


def measured(command: Sequence[str]) -> dict[str, Any]:
    """Run a process that prints its counts; returns seconds, peak memory of its process tree, and those counts."""
    settings = {"REWRITER_MASTER": "local[2]", "REWRITER_DRIVER_MEMORY": DRIVER_MEMORY}
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=os.environ | settings, stdout=said)
        while process.poll() is None:
            peak = max(peak, sum(map(memory_gb, process_tree(process.pid))))
            time.sleep(0.5)
        seconds = time.perf_counter() - start
        said.seek(0)
        lines = [line for line in said if line.startswith("COUNTS ")]
    if process.returncode or not lines:
        raise SystemExit(f"{command[:2]} ended with {process.returncode}")
    counts = json.loads(lines[-1].removeprefix("COUNTS "))
    return {"seconds": round(seconds, 1), "peak_memory_gb": round(peak, 2), "counts": counts}


def measure(n_turns: int, seed: int, folder: Path) -> dict[str, Any]:
    """Generate a log in the folder, mine it, count it with the job, and with DuckDB."""
    n_written = write_log(folder, n_turns, seed)
    turns, defects = folder / "turns", folder / "defects"
    mined = measured(["-c", MINER, "--turns", str(turns), "--out", str(folder / "pairs")])
    n_pairs = sum(pq.read_metadata(file).num_rows for file in (folder / "pairs").glob("*.parquet"))
    counted = measured(["-m", "benchmarks.mining.job_counting", str(turns), str(defects), str(folder / "counted")])
    duckdb = count_with_duckdb(turns, defects, folder, Settings())
    return {
        "n_turns": n_written,
        "cores": 2,
        "mine_rewrites": mined | {"pairs_written": n_pairs},
        "job_counting": counted,
        "duckdb_counting": duckdb,
        "ratio_of_counting": round(counted["counts"]["seconds"] / duckdb["seconds"], 2),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10_000_000, help="turns of the generated log (default 10 million)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    parser.add_argument("--folder", type=Path, help="where the log is generated (default: a temporary folder)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        figures = measure(args.turns, args.seed, Path(folder))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
