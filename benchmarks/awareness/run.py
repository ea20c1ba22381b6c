"""What self-awareness is worth: ten rounds in which the published pairs change the log that the next ones are mined from.

Two worlds of the same seed live with one miner each, the command `python -m jobs.mine_rewrites` with and without
``[mine] self_aware``. Without it a turn counts as if it had been served as it was said. In one round wrong pairs are
planted, and from another on a refused wording means something else. Truth is the simulator's.
Prints a table; writes JSON and one picture.

example: python -m benchmarks.awareness.run
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.awareness.picture import rounds_picture
from benchmarks.awareness.quality import Judged, Meanings, Truth, bootstrap, judged, means
from benchmarks.awareness.worlds import BAD_PAIRS, FLIPPED, Round, Setup, live
from benchmarks.real import ROOT
from rewriter.simulation.world import World

MINERS = ("without", "with")
#: What average precision is taken of, in the order of `benchmarks.awareness.quality.means`.
MEASURES = {
    "published": "published pairs by lift_lower; to be found: each source that has a truly better rewrite with min_users in "
    "either world",
    "all_supported": "all pairs with min_users in either world by share * max(lift_lower, 0), 0 where refused",
}
DRAWS = 1000


def rounds_of(setup: Setup, folder: Path) -> tuple[dict[str, list[Round]], Truth]:
    """All rounds of both worlds, and the truth about what was said in them."""
    world = World(setup.seed, "flip", setup.flip_day)
    planted = frozenset(goal for p in world.scenario.planted for goal in (p.goal, p.other))
    meanings = Meanings(setup.flip_day, planted)
    rounds = {miner: live(setup, miner == "with", folder / miner, meanings) for miner in MINERS}
    return rounds, Truth(world, meanings)


def row_of(setup: Setup, pair: tuple[Round, Round], scored: Sequence[Judged], weight: Any, truth: Truth) -> dict[str, Any]:
    """One round as JSON: each miner's log, its published pairs and their quality."""
    after = pair[0].number >= setup.flip_round
    row: dict[str, Any] = {"round": pair[0].number, "supported_pairs": len(scored[0].source)}
    row["rewritable_sources"] = len(np.unique(scored[0].source[scored[0].right]))
    for miner, one, j in zip(MINERS, pair, scored, strict=True):
        published = one.published
        row[miner] = {
            "turns": one.n_turns,
            "defective": round(one.defective, 4),
            "live": len(one.live),
            "published": len(published),
            "published_right": sum(truth.better(s, r, after) for s, r in published.items()),
            "pr_auc_published": round(j.of_published(weight), 4),
            "pr_auc_all_supported": round(j.of_all(weight), 4),
            "bad_pairs": {s: one.standing(s, r) for s, r in BAD_PAIRS.items()},
            "flipped_to": published.get(FLIPPED),
            "mine_s": one.mine_s,
        }
    return row


def bad_rounds(setup: Setup, rounds: Sequence[Round]) -> int | None:
    """Rounds of the log until no planted bad pair is published; None if one is to the end."""
    for one in rounds[setup.bad_round :]:
        if not set(BAD_PAIRS.items()) & set(one.published.items()):
            return one.number - setup.bad_round + 1
    return None


def flip_rounds(setup: Setup, rounds: Sequence[Round], truth: Truth) -> int | None:
    """Rounds of the log from the flip until the published rewrite does what is now meant; None if it never does."""
    right = [FLIPPED in r.published and truth.better(FLIPPED, r.published[FLIPPED], True) for r in rounds]
    first = next((k for k in range(setup.flip_round, len(rounds)) if right[k]), None)
    return None if first is None else first - setup.flip_round + 1


def gain_of(without: float, with_it: float) -> dict[str, float | bool]:
    """The rise in average precision: relative, and as a share of what was missing."""
    rise = with_it - without
    relative, of_missing = rise / max(without, 1e-12), rise / max(1.0 - without, 1e-12)
    target = min(0.27 * without, 0.5 * (1.0 - without))
    return {"relative": round(relative, 4), "of_missing": round(of_missing, 4), "reaches_target": bool(rise >= target)}


def summary_of(
    setup: Setup, rounds: dict[str, list[Round]], scored: dict[str, list[Judged]], n_sources: int
) -> dict[str, Any]:
    """Mean average precision over the served rounds, with 95% intervals from sources drawn again."""
    plain = np.array([means(scored[miner][1:], np.ones(n_sources)) for miner in MINERS])
    draws = bootstrap(scored["without"][1:], scored["with"][1:], n_sources, DRAWS, setup.seed)
    result: dict[str, Any] = {}
    for place, measure in enumerate(MEASURES):
        low, high = np.quantile(draws[:, :, place], [0.025, 0.975], axis=0)
        relative = draws[:, 1, place] / np.maximum(draws[:, 0, place], 1e-12) - 1.0
        entry: dict[str, Any] = {
            miner: {
                "mean": round(float(plain[k, place]), 4),
                "low": round(float(low[k]), 4),
                "high": round(float(high[k]), 4),
            }
            for k, miner in enumerate(MINERS)
        }
        entry["gain"] = gain_of(*plain[:, place].tolist())
        entry["relative_interval"] = np.quantile(relative, [0.025, 0.975]).round(4).tolist()
        result[f"pr_auc_{measure}"] = entry
    for miner, of_miner in rounds.items():
        turns = np.array([r.n_turns for r in of_miner[1:]])
        rates = np.array([r.defective for r in of_miner[1:]])
        result[f"defective_{miner}"] = round(float(rates @ turns / turns.sum()), 4)
    return result


def run(setup: Setup, folder: Path) -> dict[str, Any]:
    """The whole experiment as JSON."""
    rounds, truth = rounds_of(setup, folder)
    numbers: dict[str, int] = {}
    pairs = list(zip(*rounds.values(), strict=True))
    each = [
        judged([r.pairs for r in pair], truth, pair[0].number >= setup.flip_round, setup.min_users, numbers)
        for pair in pairs
    ]
    weight = np.ones(len(numbers))
    scored = {miner: [judgements[k] for judgements in each] for k, miner in enumerate(MINERS)}
    summary = summary_of(setup, rounds, scored, len(numbers))
    for miner in MINERS:
        summary[f"bad_pairs_gone_after_rounds_{miner}"] = bad_rounds(setup, rounds[miner])
        summary[f"flip_followed_after_rounds_{miner}"] = flip_rounds(setup, rounds[miner], truth)
    rows = [row_of(setup, pair, j, weight, truth) for pair, j in zip(pairs, each, strict=True)]
    configs = {miner: setup.config(miner == "with") for miner in MINERS}
    return {"setup": asdict(setup), "configs": configs, "bad_pairs": BAD_PAIRS, "measures": MEASURES} | {
        "summary": summary,
        "rounds": rows,
    }


def table_of(result: dict[str, Any]) -> str:
    """The rounds as a table: without | with self-awareness."""
    lines = [
        f"{'round':>5} {'live':>9} {'published':>11} {'right':>9} {'failed':>13} {'PR-AUC':>13} {'all pairs':>13}  flipped"
    ]
    for row in result["rounds"]:
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
    for name, value in asdict(Setup()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/awareness.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/pictures/self_awareness.svg")
    values = vars(parser.parse_args(argv))
    json_path, picture = values.pop("json"), values.pop("picture")
    with tempfile.TemporaryDirectory() as folder:
        result = run(Setup(**values), Path(folder))
    json_path.parent.mkdir(parents=True, exist_ok=True)
    json_path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    picture.write_text(rounds_picture(result), "utf-8")
    print(table_of(result))
    print(json.dumps(result["summary"], indent=1))


if __name__ == "__main__":
    main()
