"""Run every stage of the plan over a log: resumable, with progress; what has not changed is skipped."""

from __future__ import annotations

import argparse
import hashlib
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
from jobs.plan import PLAN, STAGES, TURNS, Stage, after, command, until
from rewriter.config import as_dict, print_settings, read_settings
from rewriter.errors import RewriterError
from rewriter.parquet import parquet_files
from rewriter.settings import Settings
from schemas.tables import TURNS as TURNS_TABLE

RECORD = "run.json"


def log_state(turns: Path) -> list[list[Any]]:
    """Relative name, size and time of change of each Parquet file of the log, sorted; a changed log changes this."""
    root = turns if turns.is_dir() else turns.parent
    return [[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in parquet_files(turns)]


def _check_log(turns: Path) -> None:
    """Return if every file of the log keeps the contract and there is at least one turn.

    Raises
    ------
    ContractError
        With every fault of the first file that has one, before any stage runs.
    RewriterError
        If the log is empty.
    """
    from jobs.storage import check_files

    if not check_files(turns, TURNS_TABLE):
        raise RewriterError(f"the log is empty: no turns in {turns}")


def code_state() -> str:
    """SHA-256 over this installation's own source files: new code reruns its stages."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("schemas", "rewriter", "jobs"):
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def people_state(out: Path) -> dict[str, str]:
    """SHA-256 of each file that people change between runs, by its path; empty text where there is none."""
    files = {path: out / path for stage in PLAN for path in stage.state}
    return {path: hashlib.sha256(f.read_bytes()).hexdigest() if f.exists() else "" for path, f in files.items()}


def weights_state(encoder: str) -> str:
    """SHA-256 of the weights in the folder of ``[train] encoder``; empty text for the packaged ones."""
    weights = Path(encoder, "model.safetensors")
    return hashlib.sha256(weights.read_bytes()).hexdigest() if encoder and weights.is_file() else ""


def fingerprints(
    stages: Sequence[Stage], settings: Settings, log: Any, code: str, state: Mapping[str, str]
) -> dict[str, str]:
    """What each stage's result depends on, hashed: the log, its settings, the code, people, and the stages before it."""
    values = as_dict(settings)
    weights = weights_state(settings.train.encoder)
    out: dict[str, str] = {}
    for stage in PLAN:
        if stage not in stages and stage.name not in {a for s in stages for a in after(s)}:
            continue
        parts = {
            "command": command(stage, "TURNS", "OUT"),
            "settings": {name: values.get(name) for name in ("seed", *stage.settings)},
            "log": log if any(path == TURNS for _, path in stage.inputs) else None,
            "before": [out[name] for name in after(stage)],
            "code": code,
            "weights": weights if "train" in stage.settings else "",
            "state": [state.get(path, "") for path in stage.state],
        }
        out[stage.name] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return out


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
    marks = fingerprints(stages, settings, log, code_state(), people_state(out))
    for number, stage in enumerate(stages, 1):
        head = f"[{number:>2}/{len(stages)}] {stage.name:<17}"
        if record.is_done(stage, marks[stage.name], out):
            record.stages[stage.name]["status"] = "skipped"
            console.print(f"{head} unchanged, skipped", highlight=False, soft_wrap=True)
            continue
        console.print(f"{head} ...", highlight=False, soft_wrap=True)
        record.stages.pop(stage.name, None)
        record.save()
        start = time.perf_counter()
        counts = run_stage(stage, command(stage, str(turns), str(out), None if config is None else str(config)))
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
    parser.add_argument("--out", type=Path, help="the run's folder: tables/, models/, indexes/, bundles/, run.json")
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
