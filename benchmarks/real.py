"""Real dialogues and their scorers, which are not shipped: where they are, and a served bundle driven over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.live import served

ROOT = Path(__file__).resolve().parents[1]
#: Folder of the dialogue sets, unless the environment variable REWRITER_DATA names another.
DATA = ROOT.parent / "shared" / "data"


def data_folder(file: str) -> Path:
    """The folder of the dialogue sets, with this file in it.

    Raises
    ------
    SystemExit
        With one line that says where it was looked for.
    """
    folder = Path(os.environ.get("REWRITER_DATA", DATA))
    if not (folder / file).is_file():
        raise SystemExit(f"no {file} in {folder}: set REWRITER_DATA to the folder of the dialogue sets")
    return folder


def scorer(data: Path, name: str) -> Path:
    """A program of the scorers' folder, ``eval`` beside the data unless REWRITER_EVAL names another.

    Raises
    ------
    SystemExit
        With one line that says where it was looked for.
    """
    program = Path(os.environ.get("REWRITER_EVAL", data.parent / "eval")) / name
    if not program.is_file():
        raise SystemExit(f"no {name} in {program.parent}: set REWRITER_EVAL to the folder of the scorers")
    return program


def json_of(program: Path, *arguments: object) -> dict[str, Any]:
    """What a scorer prints."""
    command = [sys.executable, str(program), *map(str, arguments)]
    result: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return result


def drive(data: Path, bundles: Path, turns: Path, decisions: Path, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Serve the current bundle and send it every turn in the order of time; the driver's counts and latencies."""
    beside = decisions.with_suffix("")
    with served(bundles, beside, beside.with_suffix(".log")) as port:
        where = ("--url", f"http://127.0.0.1:{port}", "--turns", turns, "--out", decisions)
        return json_of(scorer(data, "drive_api.py"), *where, *flags)
