"""The whole loop on simulated users: weeks of log, learn, serve, replay the next days with a control arm, report.

`make demo` runs it. It writes OUT/result.json and OUT/report/index.html and prints the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from examples.live import ApiRewriter, served
from jobs import detect_rephrases, label_defects, mine_rewrites, report, run
from jobs.command import run_main
from jobs.simulate import write_log
from rewriter.config import read_settings
from rewriter.evaluation.win_loss import Outcome, WinLoss
from rewriter.simulation.simulate import simulate
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

HERE = Path(__file__).resolve().parent
START = date(2026, 3, 2)
CONTROLS = ("no_failures", "shuffled")


def learn(world: World, users: int, days: int, out: Path, config: Path, console: Console) -> None:
    """Simulate the weeks before, and run every stage over them."""
    console.rule(f"1  {days} days of {users:,} users, without any rewriting")
    counts = write_log(world, simulate(world, users, range(days), START), out / "log")
    console.print(
        f"{counts['turns']:,} turns, {counts['sessions']:,} sessions, {counts['defective'] / counts['turns']:.1%} failed",
        highlight=False,
    )
    console.rule("2  learn: every stage of `rewriter run`")
    run.run_plan(out / "log/turns", out / "warehouse", config, None, console)


def controls(seed: int, users: int, days: int, out: Path, config: Path, console: Console) -> dict[str, int]:
    """Pairs that the demo's own models would publish from logs without anything to learn."""
    console.rule("3  controls: the same models on logs in which there is nothing to learn")
    models, active = out / "warehouse/models", {}
    for name in CONTROLS:
        world, folder = World(seed, name), out / "controls" / name
        write_log(world, simulate(world, users, range(days), START), folder / "log")
        log = ["--turns", str(folder / "log/turns"), "--config", str(config)]
        defects, rephrases, pairs = (folder / table for table in ("defects", "rephrases", "rewrite_pairs"))
        label_defects.main([*log, "--model", str(models / "defects"), "--out", str(defects)])
        log += ["--defects", str(defects)]
        detect_rephrases.main([*log, "--model", str(models / "rephrase"), "--out", str(rephrases)])
        log += ["--rephrases", str(rephrases), "--rephrase-model", str(models / "rephrase")]
        counts = mine_rewrites.main([*log, "--out", str(pairs)])
        active[name] = int(counts["active"])
        console.print(f"{name}: {active[name]} pairs published, {counts['pairs']:,} judged", highlight=False)
    return active


def live(world: World, users: int, days: range, out: Path, console: Console) -> tuple[list[Turn], ApiRewriter]:
    """The next days: every request goes to the running service before NLU."""
    console.rule(f"4  the next {len(days)} days through POST /v1/rewrite")
    bundles, decisions = out / "warehouse/bundles", out / "warehouse/decisions"
    with served(bundles, decisions, out / "service.log") as port, Progress(console=console) as progress:
        rewriter = ApiRewriter(port)
        task = progress.add_task("users", total=users)
        turns = simulate(world, users, days, START, rewriter, 4, lambda done: progress.update(task, completed=done))
    write_log(world, turns, out / "live")
    return turns, rewriter


def win_loss(turns: Sequence[Turn]) -> WinLoss:
    """Wins and losses against the truth: what the request would have come to as it was, and what it came to."""
    rewritten = [t for t in turns if t.answer.served is not None and t.answer.arm == "treatment"]
    judged = [
        Outcome.WIN if t.ok and not t.ok_as_is else Outcome.LOSS if t.ok_as_is and not t.ok else Outcome.TIE
        for t in rewritten
    ]
    return WinLoss.of(judged, len(turns))


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99."""
    return {f"p{q}": round(float(np.percentile(milliseconds, q)), 3) for q in (50, 95, 99)}


def measured(turns: list[Turn], rewriter: ApiRewriter) -> dict[str, Any]:
    """Everything the demo reports, from the truth of the live days."""
    control = [t for t in turns if rewriter.arms.get(t.turn_id) == "control"]
    treated = [t for t in turns if rewriter.arms.get(t.turn_id) == "treatment"]
    whole = win_loss(treated)
    low, high = whole.ratio_interval()
    layers = sorted({str(t.answer.layer) for t in treated if t.answer.served is not None})
    every = [ms for of_layer in rewriter.latencies.values() for ms in of_layer]
    return {
        "requests": len(turns),
        "errors": rewriter.n_errors,
        "treated": len(treated),
        "rewritten": whole.rewritten,
        "trigger_rate": whole.rewritten / max(len(treated), 1),
        "wins": whole.wins,
        "losses": whole.losses,
        "ties": whole.ties,
        "ratio": whole.ratio,
        "ratio_low": low,
        "ratio_high": high if np.isfinite(high) else None,
        "defect_before": float(np.mean([not t.ok_as_is for t in treated])),
        "defect_after": float(np.mean([not t.ok for t in treated])),
        "defect_control_arm": float(np.mean([not t.ok for t in control])) if control else None,
        "layers": {name: layer_outcome(treated, name) for name in layers},
        "latency": {"all": percentiles(every)} | {k: percentiles(v) for k, v in sorted(rewriter.latencies.items())},
    }


def layer_outcome(turns: Sequence[Turn], name: str) -> dict[str, Any]:
    """What one layer served, and what came of it."""
    own = win_loss([t for t in turns if t.answer.layer == name])
    return {"rewritten": own.rewritten, "wins": own.wins, "losses": own.losses, "ties": own.ties}


def show(result: dict[str, Any], console: Console) -> None:
    """Print the result as a table."""
    table = Table(title="the next days, against the truth", show_header=False)
    ratio = "no loss" if result["ratio"] is None else f"{result['ratio']:.1f}"
    high = "∞" if result["ratio_high"] is None else f"{result['ratio_high']:.1f}"
    rows = [
        ("requests", f"{result['requests']:,} ({result['treated']:,} in the treatment arm)"),
        ("trigger rate", f"{result['trigger_rate']:.2%}"),
        ("wins / losses / ties", f"{result['wins']} / {result['losses']} / {result['ties']}"),
        ("wins to a loss", f"{ratio} (95% {result['ratio_low']:.1f} to {high})"),
        (
            "defect rate of the same requests",
            f"{result['defect_before']:.2%} as they were, {result['defect_after']:.2%} served",
        ),
    ]
    if result["defect_control_arm"] is not None:
        rows.append(("defect rate of the control arm", f"{result['defect_control_arm']:.2%}"))
    for name, own in result["layers"].items():
        rows.append((f"  {name}", f"{own['wins']} wins, {own['losses']} losses, {own['ties']} ties"))
    for name, ms in result["latency"].items():
        rows.append((f"server latency, {name}", f"p50 {ms['p50']:.2f}  p95 {ms['p95']:.2f}  p99 {ms['p99']:.2f} ms"))
    rows += [(f"pairs published on {name}", str(n)) for name, n in result.get("controls", {}).items()]
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo"))
    parser.add_argument("--config", type=Path, default=HERE / "demo.toml")
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--days", type=int, default=21, help="days to learn from")
    parser.add_argument("--live-days", type=int, default=4, help="days to replay through the service")
    args = parser.parse_args(argv)
    started, console = time.perf_counter(), Console()
    world = World(read_settings(args.config).seed)
    learn(world, args.users, args.days, args.out, args.config, console)
    barren = controls(world.seed, max(args.users // 2, 1), max(args.days // 2, 4), args.out, args.config, console)
    turns, rewriter = live(world, args.users, range(args.days, args.days + args.live_days), args.out, console)
    result = measured(turns, rewriter) | {"controls": barren}
    (args.out / "result.json").write_text(json.dumps(result, indent=2, sort_keys=True) + "\n", "utf-8")
    console.rule("5  result")
    report.main(["--warehouse", str(args.out / "warehouse"), "--out", str(args.out / "report")])
    show(result, console)
    seconds = time.perf_counter() - started
    console.print(f"\n{args.out}/result.json, {args.out}/report/index.html  ({seconds:.0f} s)", highlight=False)


if __name__ == "__main__":
    run_main(main)
