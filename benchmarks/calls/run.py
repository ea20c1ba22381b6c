"""What the whole pipeline does for restaurant calls: learnt from one part, served, driven over another and replayed.

dev      learnt from the train part, driven over the dev part, whose callers are all new, with and without NLU's first look
habits   the train part cut by time within each caller, with the global layer alone, the personal alone, and both

A win was misunderstood as it was and is understood rewritten, a loss the reverse; over turns with a goal, over all turns,
and with the same decoder on both sides. The calls are looked for in REWRITER_DATA, the scorers in REWRITER_EVAL (default:
eval beside it); neither is shipped. Prints a table; writes JSON, where parts that are not run again keep their figures.

example: python -m benchmarks.calls.run --parts dev --folder /tmp/calls
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.calls.habits import write_split
from benchmarks.real import ROOT, data_folder, drive, json_of, scorer
from jobs import publish
from jobs.plan import STAGES, command

RESULTS = ROOT / "benchmarks/results/calls.json"
CONFIG = ROOT / "examples/dstc2.toml"
FIRST_LOOK = ("--with-interpretation",)
_LAYERS = {"global alone": "personal = false", "personal alone": "global = false", "both": ""}


def learn(turns: Path, out: Path) -> Path:
    """Run every stage over the turns, or those that a run of before left undone; the folder of bundles."""
    run = [sys.executable, "-m", "jobs.cli", "run", "--turns", str(turns), "--out", str(out), "--config", str(CONFIG)]
    if subprocess.run(run, cwd=ROOT).returncode:
        raise SystemExit(f"`rewriter run` over {turns} failed")
    return out / "bundles"


def replayed(data: Path, decisions: Path, *which: object) -> dict[str, Any]:
    """The scorer's counts of the decisions over the turns that its options choose."""
    return json_of(scorer(data, "replay.py"), "--decisions", decisions, "--replay-dir", data / "dstc2", *which)


def dev(data: Path, folder: Path) -> dict[str, Any]:
    """The dev part, with and without NLU's first look."""
    calls, found = data / "dstc2", {}
    bundles = learn(calls / "turns_train.parquet", folder / "train")
    for name, flags in (("with NLU's first look", FIRST_LOOK), ("without it", ())):
        decisions = folder / f"decisions-{len(flags)}.jsonl"
        driven = drive(data, bundles, calls / "turns_dev.parquet", decisions, flags)
        which = ("--turns", calls / "turns.parquet", "--gold", calls / "gold.parquet", "--split", "dev")
        found[name] = {"driven": driven, "scored": replayed(data, decisions, *which)}
    return found


def habits(data: Path, folder: Path) -> dict[str, Any]:
    """The rest of each caller's calls, by the layers that may serve; mined pairs and n-best alternatives stay off."""
    paths = write_split(data / "dstc2/turns_train.parquet", data / "dstc2/gold.parquet", folder)
    learn(paths["learnt"], folder / "learnt")
    found = {}
    for name, switch in _LAYERS.items():
        bundles = folder / name.replace(" ", "_")
        config = folder / f"{bundles.name}.toml"
        off = "\n".join(["[decide]", "precomputed = false", "alternative = false", switch])
        config.write_text(CONFIG.read_text("utf-8").replace("[decide]", off), "utf-8")
        stage = command(STAGES["publish"], str(paths["learnt"]), str(folder / "learnt"), str(config))
        publish.main([*stage[: stage.index("--out")], "--out", str(bundles), "--config", str(config)])
        decisions = folder / f"{bundles.name}.jsonl"
        driven = drive(data, bundles, paths["scored"], decisions, FIRST_LOOK)
        found[name] = {
            "driven": driven,
            "scored": replayed(data, decisions, "--turns", paths["scored"], "--gold", paths["gold"]),
        }
    return found


PARTS = {"dev": dev, "habits": habits}


def _counts(scored: dict[str, Any]) -> str:
    low, high = scored["ratio_low"] or 0.0, scored["ratio_high"] or float("inf")
    return f"{scored['wins']} to {scored['losses']} ({low:.1f} to {high:.1f})".rjust(24)


def table_of(part: str, found: dict[str, Any]) -> str:
    """A line a way to serve: wins to losses with the ratio's 95% interval, three ways, and the share of defects fixed."""
    heads = "".join(name.rjust(24) for name in ("turns with a goal", "all turns", "same decoder"))
    lines = [f"{part:24}{heads}{'fixed':>8}"]
    for name, figures in found.items():
        scored = figures["scored"]
        three = "".join(map(_counts, (scored, scored["all_turns"], scored["same_decoder"])))
        lines.append(f"{name:24}{three}{100 * scored['share_of_defects_fixed']:7.1f}%")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--folder", type=Path, help="where runs and decisions go, and stay (default: a temporary one)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    args = parser.parse_args(argv)
    data = data_folder("dstc2/turns_train.parquet")
    result: dict[str, Any] = json.loads(args.json.read_text("utf-8")) if args.json.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        for part in args.parts:
            folder = (args.folder or Path(scratch)) / part
            folder.mkdir(parents=True, exist_ok=True)
            result[part] = PARTS[part](data, folder)
            print(table_of(part, result[part]), flush=True)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
