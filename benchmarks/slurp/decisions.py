"""What a bundle does to the held-out recordings: served over HTTP, driven and scored by the evaluation's own programs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.planted.log import ROOT

_START_S, _TRY_S = 120.0, 0.5


def eval_folder(data: Path) -> Path:
    """The folder of the scorers, ``eval`` beside the data unless REWRITER_EVAL names another.

    Raises
    ------
    SystemExit
        With one line that says where they were looked for.
    """
    folder = Path(os.environ.get("REWRITER_EVAL", data.parent / "eval"))
    if not (folder / "slurp_intent.py").is_file():
        raise SystemExit(f"no slurp_intent.py in {folder}: set REWRITER_EVAL to the folder of the scorers")
    return folder


@contextmanager
def service(bundles: Path) -> Iterator[str]:
    """The address of a server of the current bundle, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jobs.cli", "serve", "--bundles", str(bundles.resolve()), "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(server, f"{url}/health/ready")
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=_TRY_S):
                return
        except OSError:
            time.sleep(_TRY_S)
    raise SystemExit(f"the server did not get ready within {_START_S:.0f} s")


def _json_of(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def decide(bundles: Path, data: Path, decisions: Path) -> dict[str, Any]:
    """Serve, drive and score the held-out recordings: counts of the driver and of the scorer, each as it prints them."""
    scorers, slurp = eval_folder(data), data / "slurp_a"
    with service(bundles) as url:
        turns = str(slurp / "turns_heldout.parquet")
        drive = [sys.executable, str(scorers / "drive_api.py"), "--url", url, "--turns", turns, "--out", str(decisions)]
        driven = _json_of(drive)
    requests = str(slurp / "requests_heldout.parquet")
    intent = [sys.executable, str(scorers / "slurp_intent.py"), "--decisions", str(decisions), "--requests", requests]
    return {"driven": driven, "scored": _json_of([*intent, "--data", str(data)])}
