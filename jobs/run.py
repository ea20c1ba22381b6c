"""Run every stage of the plan over a log: resumable, with progress; what has not changed is skipped."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jobs.command import Parser, run_main
from jobs.fingerprints import code_state, fingerprints, log_state, people_state
from jobs.plan import PLAN, STAGES, Stage, command, until
from rewriter.config import as_dict, print_settings, read_settings
from rewriter.errors import RewriterError
from rewriter.settings import Settings
from schemas.tables import TURNS as TURNS_TABLE

RECORD = "run.json"
SETTINGS = "settings.toml"


def _check_log(turns: Path) -> None:
    """Return if every file of the log keeps the contract, there is at least one turn, and none is there twice.

    Raises
    ------
    ContractError
        With every fault of the first file that has one, before any stage runs.
    RewriterError
        If the log is empty, or a turn_id occurs twice, as in a file that was copied: each turn would repeat itself.
    """
    from jobs.duplicates import require_unique
    from jobs.storage import check_files

    n_turns = check_files(turns, TURNS_TABLE)
    if not n_turns:
        raise RewriterError(f"the log is empty: no turns in {turns}")
    require_unique(turns, "turn_id", n_turns)


def write_settings(settings: Settings, out: Path) -> Path:
    """The file of the run's own settings: every stage reads this one, whatever becomes of the file they came from."""
    file = out / SETTINGS
    beside = file.with_suffix(".toml.writing")
    beside.write_text(print_settings(settings), "utf-8")
    beside.replace(file)
    return file


class Record:
    """``run.json``: what each stage did, and the fingerprint it did it with. Saved after every stage."""

    def __init__(self, out: Path, turns: Path, config: Path | None, settings: Settings) -> None:
        self.path = out / RECORD
        self.turns = str(turns.resolve())
        self.config = None if config is None else str(config.resolve())
        self.stages: dict[str, dict[str, Any]] = {}
        self.settings = as_dict(settings)
        if self.path.exists():
            try:
                self.stages = {s["name"]: s for s in json.loads(self.path.read_text("utf-8"))["stages"]}
            except (ValueError, KeyError, TypeError) as error:
                raise RewriterError(f"{self.path} is damaged ({error}); delete it to run every stage again") from error

    def is_done(self, stage: Stage, fingerprint: str, out: Path) -> bool:
        """Whether the stage has run with this fingerprint and its outputs are still there."""
        done = self.stages.get(stage.name, {}).get("fingerprint") == fingerprint
        return done and all((out / path).exists() for path in stage.outputs)

    def mark_stale(self, marks: Mapping[str, str]) -> None:
        """Mark the stages whose results are not of these fingerprints, the others as done; saved before anything runs."""
        for name, stage in self.stages.items():
            is_stale = name not in marks or stage.get("fingerprint") != marks[name]
            if is_stale or stage.get("status") == "stale":
                stage["status"] = "stale" if is_stale else "done"
        self.save()

    def begin(self, stage: Stage) -> None:
        """Save that the stage's earlier result, if it has one, holds no more; a kill from here on makes it run again."""
        if stage.name in self.stages:
            self.stages[stage.name] |= {"status": "stale", "fingerprint": ""}
            self.save()

    def save(self) -> None:
        """Replace the file as a whole, stages in the plan's order."""
        stages = [self.stages[s.name] for s in PLAN if s.name in self.stages]
        beside = self.path.with_suffix(".json.writing")
        content = {"turns": self.turns, "config": self.config, "stages": stages, "settings": self.settings}
        beside.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
        beside.replace(self.path)


def run_stage(stage: Stage, arguments: list[str]) -> dict[str, Any]:
    """Call the stage's job in this process, so that all stages share one Spark session; returns its counts."""
    counts = importlib.import_module(f"jobs.{stage.job}").main(arguments)
    return dict(counts or {})


def run_plan(turns: Path, out: Path, config: Path | None, last: str | None, console: Console) -> dict[str, Any]:
    """Run the plan up to and including ``last``; returns the record of each stage by name."""
    settings = read_settings(config)
    stages = until(last)
    log = log_state(turns)
    _check_log(turns)
    out.mkdir(parents=True, exist_ok=True)
    record = Record(out, turns, config, settings)
    marks = fingerprints(settings, log, code_state(), people_state(out))
    record.mark_stale(marks)
    own_config = str(write_settings(settings, out))
    for number, stage in enumerate(stages, 1):
        head = f"[{number:>2}/{len(stages)}] {stage.name:<17}"
        if record.is_done(stage, marks[stage.name], out):
            record.stages[stage.name]["status"] = "skipped"
            console.print(f"{head} unchanged, skipped", highlight=False, soft_wrap=True)
            continue
        console.print(f"{head} ...", highlight=False, soft_wrap=True)
        record.begin(stage)
        start = time.perf_counter()
        counts = run_stage(stage, command(stage, str(turns), str(out), own_config))
        seconds = time.perf_counter() - start
        record.stages[stage.name] = {
            "name": stage.name,
            "status": "done",
            "fingerprint": marks[stage.name],
            "seconds": round(seconds, 1),
            "counts": counts,
        }
        record.save()
        said = ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in counts.items() if _is_short(v))
        console.print(f"{head} {seconds:6.1f} s  {said}", highlight=False, soft_wrap=True)
    record.save()
    return record.stages


def _is_short(value: Any) -> bool:
    return isinstance(value, int | float | str) and len(str(value)) <= 40


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the plan; see ``--help``."""
    parser = Parser(
        prog="rewriter run",
        description=__doc__,
        epilog="example: rewriter run --turns log/turns --out warehouse --config examples/demo.toml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=Path, help="turns table: a folder or one Parquet file")
    parser.add_argument(
        "--out", type=Path, help="the run's folder: tables/, models/, indexes/, bundles/, run.json, settings.toml"
    )
    parser.add_argument("--config", type=Path, help="TOML settings; every key has a default")
    parser.add_argument("--until", choices=sorted(STAGES), metavar="STAGE", help="last stage to run: " + ", ".join(STAGES))
    parser.add_argument("--print-config", action="store_true", help="print every setting with its unit and reason, and stop")
    args = parser.parse_args(argv)
    if args.print_config:
        sys.stdout.write(print_settings(read_settings(args.config)))
        return {}
    if args.turns is None or args.out is None:
        parser.error("--turns and --out are required")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    return run_plan(args.turns, args.out, args.config, args.until, Console(stderr=False))


if __name__ == "__main__":
    run_main(main)
