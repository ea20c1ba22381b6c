"""What online rewriting is worth in simulated worlds whose truth is known, and what each of its parts adds.

effect     failed requests of live days without rewriting, with everybody's layers, and with the personal one
curve      precision of the retrieved rewrites against trigger rate, and its picture
ablations  the same with one part left out, learnt again from the same log
meanings   wordings with more than one meaning: does each user get his own, and do the many keep theirs
strangers  questions that another assistant was not made for (in REWRITER_DATA): how many would be rewritten

Every world is simulated and learnt by every stage of `rewriter run` with examples/demo.toml, unless its folder below --out
holds it; a finished demo may be given instead of the ordinary one. The days after are decided in this process, by the
service's own parser and engine, without HTTP. Prints tables; writes JSON, where what is not run again keeps its figures.

example: python -m benchmarks.online.run --demo demo
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.online.curve import Onlooker, judged, picture, points
from benchmarks.online.live import START, EngineRewriter
from benchmarks.online.meanings import cases, counted, reached
from benchmarks.online.strangers import QUERIES, rewritten, strange_queries
from benchmarks.online.variants import VARIANTS, learn
from benchmarks.real import ROOT, data_folder
from examples.demo import layer_outcome, percentiles, win_loss
from jobs.run import run_plan
from jobs.simulate import write_log
from rewriter.simulation.simulate import simulate
from rewriter.simulation.world import World

RESULTS = ROOT / "benchmarks/results/online.json"
CONFIG = ROOT / "examples/demo.toml"
PICTURE = ROOT / "docs/pictures/precision.svg"
#: What a finished demo, or another learnt world, has.
CURRENT = Path("warehouse/bundles/CURRENT")
PARTS = ("effect", "curve", "ablations", "meanings", "strangers")
#: Layers that are off, by the name of a curve.
CURVES: dict[str, tuple[str, ...]] = {
    "everybody's": ("precomputed", "personal"),
    "with personal": ("precomputed",),
}
#: Layers that are off, by the name of what is left.
EFFECTS: dict[str, tuple[str, ...]] = {
    "mined pairs": ("personal", "global", "alternative"),
    "global": ("personal", "precomputed", "alternative"),
    "everybody's": ("personal",),
    "with personal": (),
}
CONSOLE = Console()
_say = partial(CONSOLE.print, highlight=False, soft_wrap=True)


def learnt(world: World, args: argparse.Namespace, folder: Path) -> Path:
    """The folder with the log and the warehouse of a world, made if it is not there."""
    if not (folder / CURRENT).exists():
        write_log(world, simulate(world, args.users, range(args.days), START), folder / "log")
        run_plan(folder / "log/turns", folder / "warehouse", CONFIG, None, CONSOLE)
    return folder


def lived(world: World, args: argparse.Namespace, rewriter: EngineRewriter) -> dict[str, Any]:
    """The live days with a rewriter: failed requests before and after, wins and losses, latency."""
    turns = simulate(world, args.users, range(args.days, args.days + args.live_days), START, rewriter)
    whole = win_loss(turns)
    layers = sorted({str(turn.answer.layer) for turn in turns if turn.answer.served is not None})
    before, after = (float(np.mean(failed)) for failed in zip(*((not t.ok_as_is, not t.ok) for t in turns), strict=True))
    return {
        "requests": len(turns),
        "rewritten": whole.rewritten,
        "wins": whole.wins,
        "losses": whole.losses,
        "ties": whole.ties,
        "ratio_low": round(whole.ratio_interval()[0], 2),
        "defect_before": round(before, 5),
        "defect_after": round(after, 5),
        "cut": round(1.0 - after / before, 4),
        "layers": {name: layer_outcome(turns, name) for name in layers},
        "latency_ms": percentiles(rewriter.latencies_ms),
    }


def line(name: str, row: dict[str, Any]) -> str:
    """One line of a table."""
    return (
        f"{name:28} {row['wins']:5} wins {row['losses']:3} losses {row['ties']:4} ties   "
        f"failed {row['defect_before']:.2%} -> {row['defect_after']:.2%}, cut by {row['cut']:.1%}"
    )


def effect(world: World, args: argparse.Namespace, bundles: Path) -> dict[str, Any]:
    """The live days with more and more of the layers."""
    rows = {}
    for name, off in EFFECTS.items():
        rows[name] = lived(world, args, EngineRewriter.of(bundles, off=off))
        _say(line(name, rows[name]))
    return rows


def curves(world: World, args: argparse.Namespace, bundles: Path) -> dict[str, Any]:
    """The points of each curve over the live days, as they would be without rewriting."""
    rows = {}
    for name, off in CURVES.items():
        with closing(EngineRewriter.of(bundles, off=off, least=0.0)) as rewriter:
            onlooker = Onlooker(rewriter)
            turns = simulate(world, args.users, range(args.days, args.days + args.live_days), START, onlooker)
        rows[name] = points(judged(world, turns, onlooker.decisions), len(turns))
        for row in rows[name]:
            _say(f"{name:16} from {row['least']:.2f}: {row['wins']:5} wins {row['losses']:4} losses")
    return rows


def ablation(name: str, world: World, args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The live days with one part left out."""
    out = args.out / name.replace(" ", "-")
    bundles = learn(VARIANTS[name], folder / "warehouse", folder / "log/turns", CONFIG, out, _say)
    row = lived(world, args, EngineRewriter.of(bundles))
    _say(line(name, row))
    return row


def meanings(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """The live requests heard as a planted wording, by what the user's history says of it and what he means."""
    world = World(args.seed, name)
    folder = learnt(world, args, args.out / name)
    past = reached(simulate(world, args.users, range(args.days), START))
    rewriter = EngineRewriter.of(folder / "warehouse/bundles", texts=[one.text for one in world.scenario.planted])
    days = range(args.days, args.days + args.meaning_days)
    found = cases(world, past, simulate(world, args.users, days, START, rewriter))
    rows = {}
    for history in ("own", "none", "mixed"):
        for common in (True, False):
            part = [case for case in found if (case.history, case.common) == (history, common)]
            rows[f"{history} history, {'common' if common else 'other'} meaning"] = counted(part)
    for kind, row in rows.items():
        _say(f"{name:10} {kind:30} {row['cases']:5} cases, {row['rewritten']:4} rewritten, {row['right']:5} right")
    return rows


def strangers(bundles: Path) -> dict[str, Any]:
    """The current bundle's decisions on requests of a kind that its log has never seen."""
    rows = rewritten(bundles / (bundles / "CURRENT").read_text("utf-8").strip(), strange_queries(data_folder(str(QUERIES))))
    for name, row in rows.items():
        _say(f"{name:16} {row['queries']:5} queries, {row['rewritten']:4} rewritten")
    return rows


def arguments_of(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="ablations to run")
    parser.add_argument("--worlds", nargs="+", choices=("ambiguous", "overindex"), default=["ambiguous", "overindex"])
    parser.add_argument("--demo", type=Path, help="a finished demo of the same seed, users and days")
    parser.add_argument("--out", type=Path, default=Path("bench-online"), help="where worlds and variants are kept")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--days", type=int, default=21, help="days to learn from")
    parser.add_argument("--live-days", type=int, default=4, help="days after them")
    parser.add_argument("--meaning-days", type=int, default=28, help="days after them on which planted wordings are counted")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go")
    args = parser.parse_args(argv)
    if args.demo is not None and not (args.demo / CURRENT).exists():
        parser.error(f"--demo {args.demo} is no finished demo: it has no {CURRENT}")
    if "strangers" in args.only:
        data_folder(str(QUERIES))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    args = arguments_of(argv)
    result: dict[str, Any] = json.loads(args.json.read_text("utf-8")) if args.json.exists() else {}
    setup = {key: getattr(args, key) for key in ("seed", "users", "days", "live_days", "meaning_days")}

    def keep(part: str, rows: dict[str, Any]) -> None:
        """Write what a part found at once: the next one may take an hour."""
        result["setup"] = result.get("setup", {}) | {part: setup}
        result[part] = result.get(part, {}) | rows
        args.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")

    if set(PARTS) - {"meanings"} & set(args.only):
        world = World(args.seed)
        folder = args.demo or learnt(world, args, args.out / "ordinary")
        bundles = folder / "warehouse/bundles"
    if "effect" in args.only:
        keep("effect", effect(world, args, bundles))
    if "curve" in args.only:
        keep("curve", curves(world, args, bundles))
        PICTURE.write_text(picture(result["curve"]), "utf-8")
    if "strangers" in args.only:
        keep("strangers", strangers(bundles))
    for name in args.variants if "ablations" in args.only else ():
        keep("ablations", {name: ablation(name, world, args, folder)})
    for name in args.worlds if "meanings" in args.only else ():
        keep("meanings", {name: meanings(name, args)})


if __name__ == "__main__":
    main()
