"""What self-awareness is worth: ten rounds in which the published pairs change the log that the next ones are mined from.

Two worlds of the same seed live with one miner each, the command `python -m jobs.mine_rewrites` with and without
``[mine] self_aware``. Without it a turn counts as if it had been served as it was said. In one round wrong pairs are
planted, and from another on a refused wording means something else. Truth is the simulator's.
Prints a table of each seed; writes JSON and one picture of their mean.

example: python -m benchmarks.awareness.run
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.awareness.picture import rounds_picture
from benchmarks.awareness.quality import Meanings, Truth
from benchmarks.awareness.summary import MEASURES, MINERS, Worlds, judged_worlds, mean_rows, over_seeds, row_of, summary_of
from benchmarks.awareness.worlds import BAD_PAIRS, Setup, live
from benchmarks.real import ROOT
from rewriter.simulation.world import World

SEEDS = (7, 21, 22)


def worlds_of(setup: Setup, folder: Path) -> Worlds:
    """Both worlds of a seed, lived and judged; their logs grow below ``folder``."""
    world = World(setup.seed, "flip", setup.flip_day)
    planted = frozenset(goal for p in world.scenario.planted for goal in (p.goal, p.other))
    meanings = Meanings(setup.flip_day, planted)
    rounds = {miner: live(setup, miner == "with", folder / miner, meanings) for miner in MINERS}
    return judged_worlds(setup, rounds, Truth(world, meanings))


def result_of(several: Sequence[Worlds]) -> dict[str, Any]:
    """The whole experiment as JSON."""
    setup = several[0].setup
    seeds: dict[str, dict[str, Any]] = {
        str(worlds.setup.seed): {
            "summary": summary_of(worlds),
            "rounds": [row_of(worlds, number) for number in range(setup.rounds + 1)],
        }
        for worlds in several
    }
    configs = {miner: setup.config(miner == "with") for miner in MINERS}
    return {"setup": asdict(setup), "configs": configs, "bad_pairs": BAD_PAIRS, "measures": MEASURES} | {
        "summary": over_seeds(several, setup.seed),
        "rounds": mean_rows([seed["rounds"] for seed in seeds.values()]),
        "seeds": seeds,
    }


def table_of(rounds: Sequence[dict[str, Any]]) -> str:
    """The rounds of a seed as a table: without | with self-awareness."""
    lines = [
        f"{'round':>5} {'live':>9} {'published':>11} {'right':>9} {'failed':>13} {'PR-AUC':>13} {'all pairs':>13}  flipped"
    ]
    for row in rounds:
        a, b = row["without"], row["with"]

        def both(name: str, width: int, form: str = "d", a: Any = a, b: Any = b) -> str:
            return f"{format(a[name], form)} | {format(b[name], form)}".rjust(width)

        lines.append(
            f"{row['round']:>5} {both('live', 9)} {both('published', 11)} {both('published_right', 9)} "
            f"{both('defective', 13, '.3f')} {both('pr_auc_published', 13, '.3f')} "
            f"{both('pr_auc_all_supported', 13, '.3f')}  {a['flipped_to']} | {b['flipped_to']}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    for name, value in asdict(Setup()).items():
        if name != "seed":
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/awareness.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/pictures/self_awareness.svg")
    values = vars(parser.parse_args(argv))
    json_path, picture, seeds = values.pop("json"), values.pop("picture"), values.pop("seeds")
    setup = Setup(**values)
    with tempfile.TemporaryDirectory() as folder:
        result = result_of([worlds_of(replace(setup, seed=seed), Path(folder, str(seed))) for seed in seeds])
    write(result, json_path, picture)


def write(result: dict[str, Any], json_path: Path, picture: Path) -> None:
    """Write the figures and their picture, print the tables."""
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    picture.write_text(rounds_picture(result), "utf-8")
    for seed, found in result["seeds"].items():
        print(f"seed {seed}\n{table_of(found['rounds'])}")
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
