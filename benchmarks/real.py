"""Real dialogues and their scorers, which are not shipped: where they are, and a served bundle driven over them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Folder of the dialogue sets, unless the environment variable REWRITER_DATA names another.
DATA = ROOT.parent / "shared" / "data"
_START_S, _TRY_S = 120.0, 0.5


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


def json_of(program: Path, *arguments: object) -> dict[str, Any]:
    """What a scorer prints."""
    command = [sys.executable, str(program), *map(str, arguments)]
    result: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return result


def drive(data: Path, bundles: Path, turns: Path, decisions: Path, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Serve the current bundle and send it every turn in the order of time; the driver's counts and latencies."""
    with service(bundles) as url:
        return json_of(scorer(data, "drive_api.py"), "--url", url, "--turns", turns, "--out", decisions, *flags)
