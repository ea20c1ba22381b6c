"""What every job's command line shares: help with an example, one clear line for bad input, exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rewriter.errors import RewriterError
from schemas.table import ContractError

Main = Callable[[Sequence[str] | None], Any]
#: Parts of a log's days that a job can be told to read (`jobs.days`).
PARTS = ("all", "fit", "rank", "evaluate")
CALLER_ERRORS = (RewriterError, ContractError)


class Parser(argparse.ArgumentParser):
    """An argument parser whose faults are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def job_parser(name: str, doc: str | None, example: str, *, days: bool = False) -> Parser:
    """A parser for ``python -m jobs.NAME`` with ``--config`` and ``--out``, and ``--days`` where a part can be chosen."""
    parser = Parser(
        prog=f"python -m jobs.{name}",
        description=(doc or "").strip(),
        epilog=f"example: python -m jobs.{name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="TOML settings; every key has a default")
    parser.add_argument("--out", type=Path, required=True, help="folder to write, replaced as a whole")
    if days:
        parser.add_argument(
            "--days", choices=PARTS, default="all", help="which part of the log's days to read (default all)"
        )
    return parser


def run_main(main: Main, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command: 0 when done, 2 and one line on standard error for what the caller can mend."""
    try:
        main(argv)
    except CALLER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)
