"""What the result of each stage depends on, hashed: a stage whose fingerprint is the same need not run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.plan import PLAN, TURNS, after, command
from rewriter.config import as_dict
from rewriter.parquet import parquet_files
from rewriter.settings import Settings


def log_state(turns: Path) -> list[list[Any]]:
    """Relative name, size and time of change of each Parquet file of the log, sorted; a changed log changes this."""
    root = turns if turns.is_dir() else turns.parent
    return [[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in parquet_files(turns)]


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


def fingerprints(settings: Settings, log: Any, code: str, state: Mapping[str, str]) -> dict[str, str]:
    """What each stage's result depends on, hashed: the log, its settings, the code, people, and the stages before it."""
    values = as_dict(settings)
    weights = weights_state(settings.train.encoder)
    out: dict[str, str] = {}
    for stage in PLAN:
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
