"""The `rewriter` command: one word chooses what to do, and that module's own `main` does it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from jobs.command import run_main


@dataclass(frozen=True)
class Command:
    """One word of the command line: the function behind it and what it is for."""

    module: str
    function: str
    summary: str


COMMANDS = {
    "import": Command("jobs.import_turns", "main", "a log (JSONL, CSV, Parquet) -> turns, with broken rows set aside"),
    "pseudonym": Command("jobs.pseudonym", "main", "user ids as the import writes them, for callers of the service"),
    "simulate": Command("jobs.simulate", "main", "a simulated log with known truth"),
    "run": Command("jobs.run", "main", "every stage from turns to a published bundle, resumable"),
    "report": Command("jobs.report", "main", "a folder with index.html: funnel, pairs, win/loss, latency"),
    "explain": Command("jobs.explain", "main", "the chain and the sessions behind a pair"),
    "publish": Command("jobs.publish", "main", "write a bundle and make it current"),
    "bundles": Command("jobs.control", "bundles", "list the published bundles"),
    "rollback": Command("jobs.control", "rollback", "make the previous bundle current again"),
    "block": Command("jobs.control", "block", "never serve a pair again"),
    "approve": Command("jobs.control", "approve", "let a pending pair be served"),
    "serve": Command("jobs.serve", "main", "the run-time API"),
    "rewrite": Command("jobs.control", "rewrite", "one request, with the reason for the answer"),
}


def usage() -> str:
    """What `rewriter --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: rewriter COMMAND ...",
            "",
            "Self-learning query rewriting for dialogue logs: failed requests repair themselves.",
            "",
            *lines,
            "",
            "Every command has --help with an example; each stage of the run is also `python -m jobs.NAME`.",
            "",
        ]
    )


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command; unknown or missing words exit with code 2 and one line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (["--help"], ["-h"]):
        sys.stdout.write(usage())
        raise SystemExit(0)
    if not words or words[0] not in COMMANDS:
        said = f"unknown command '{words[0]}'" if words else "no command given"
        sys.stderr.write(f"error: {said}; choose from {', '.join(COMMANDS)}\n")
        raise SystemExit(2)
    command = COMMANDS[words[0]]
    run_main(getattr(importlib.import_module(command.module), command.function), words[1:])


if __name__ == "__main__":
    main()
