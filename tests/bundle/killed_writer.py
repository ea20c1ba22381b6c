"""Runs one change of a folder of bundles again and again, each time killed one step later; leaves every wreck to look at.

usage: python killed_writer.py SCENARIO BEFORE WRECKS

A step is any moment at which the change opens, renames, removes or syncs something below the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs import control
from rewriter.bundle.controls import Controls
from rewriter.bundle.pairs import bundle_pairs
from rewriter.bundle.write import Parts, publish
from schemas.tables import REWRITE_PAIRS

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "fcntl.flock", "shutil.rmtree"}


def row(source: str) -> dict[str, Any]:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    numbers = dict.fromkeys(("p_success_source", "p_success_rewrite", "lift", "lift_lower", "share"), 0.5)
    counts = dict.fromkeys(("support_users", "support_sessions"), 20)
    texts = {"locale": "en-US", "rewrite": "play beat it", "status": "active", "reason": "r", "model_version": "m"}
    return {"source": source, "certified": True, "first_seen": at, "last_seen": at, **texts, **numbers, **counts}


def publish_version(bundles: Path, source: str) -> None:
    """One version that rewrites one request, with a model folder to copy."""
    model = bundles.parent / "model"
    model.mkdir(exist_ok=True)
    (model / "model.onnx").write_bytes(b"weights" * 1000)
    controls = Controls.read(bundles)
    table = pa.Table.from_pylist([row(source)], schema=REWRITE_PAIRS.schema)
    parts = Parts(
        bundle_pairs(table, controls, approval=False),
        {"seed": 7},
        ("2026-01-01", "2026-01-02"),
        folders={"encoder": model},
        metrics={"locales": {"en-US": 1}},
    )
    publish(bundles, parts, controls)


CHANGES = {
    "first": lambda bundles: publish_version(bundles, "play beet it"),
    "second": lambda bundles: publish_version(bundles, "play bead it"),
    "rollback": lambda bundles: control.rollback(["--bundles", str(bundles)]),
    "block": lambda bundles: control.block(["play beet it", "play beat it", "--bundles", str(bundles)]),
}


def kill_at(step: int, folder: Path) -> None:
    """From now on, kill this process just before its n-th step below the folder."""
    left = step

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        # An open by descriptor has no path: it is the interpreter's own, writing a compiled module.
        if event in STEPS and (
            event == "fcntl.flock" or (not isinstance(args[0], int) and str(folder) in os.fsdecode(args[0]))
        ):
            count()

    sys.addaudithook(hook)
    # A kill loses no page that was written, so the disk's own time would teach nothing here.
    os.fsync = lambda descriptor: count()


def attempt(scenario: str, folder: Path, step: int) -> bool:
    """Whether the change, killed at this step, got to its end."""
    child = os.fork()
    if child == 0:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        kill_at(step, folder)
        CHANGES[scenario](folder)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise SystemExit(f"step {step} ended with status {status}")
    return True


def main(scenario: str, before: Path, wrecks: Path) -> None:
    """Leave WRECKS/<step>/bundles for every step, and the undisturbed end as WRECKS/end/bundles."""
    step, done = 0, False
    while not done:
        step += 1
        folder = wrecks / str(step) / "bundles"
        shutil.copytree(before, folder)
        done = attempt(scenario, folder, step)
    (wrecks / str(step)).rename(wrecks / "end")
    print(json.dumps({"steps": step - 1}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
