"""A real server process on one core, and the load generator on another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.real import ROOT
from benchmarks.serving.load import Reply


@dataclass(frozen=True)
class Cores:
    """Which core serves (and runs what it is compared with), and which asks."""

    server: int = 0
    load: int = 1


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes
    ----------
    ready_s
        From the start of the process until it said that it serves.
    """

    pid: int
    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> dict[str, float]:
        """Memory held now: its own (anonymous), and pages of mapped files that it shares with every other server."""
        lines = dict(line.split(":") for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if ":" in line)
        return {
            name: round(int(lines[key].split()[0]) / 1024, 1)
            for name, key in (("own", "RssAnon"), ("mapped", "RssFile"), ("peak", "VmHWM"))
        }


def pinned(core: int, module: str, *options: object) -> list[str]:
    """The command that runs a module of this repository on one core."""
    return ["taskset", "-c", str(core), sys.executable, "-m", module, *map(str, options)]


def environment() -> dict[str, str]:
    """Of every process that is measured: one thread, this repository's code."""
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@contextmanager
def serving(bundles: Path, core: int) -> Iterator[Server]:
    """`rewriter serve` in a process of its own on one core, with one worker."""
    command = pinned(core, "jobs.serve", "--bundles", bundles, "--port", 0, "--workers", 1)
    began = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            ready_s = time.perf_counter() - began
            if not said.startswith("serving "):
                raise SystemExit(f"the server did not start: {said}")
            yield Server(process.pid, int(said.rsplit(":", 1)[1]), ready_s)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def asked(server: Server, calls: Path, core: int, kind: str, first: int, n: int, **options: object) -> list[Reply]:
    """Replies to some of the calls, by a load generator on its own core."""
    more = [f"--{name}={value}" for name, value in options.items()]
    command = pinned(core, "benchmarks.serving.load", "--port", server.port, "--calls", calls, "--kind", kind)
    command += ["--first", str(first), "--n", str(n), *more]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the load generator failed:\n{done.stderr[-2000:]}")
    rows: list[list[Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return [Reply(*row) for row in rows]
