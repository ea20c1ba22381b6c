"""Command lines of the parts that run beside the service: as `jobs.command`, but without Spark on board."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rewriter.errors import RewriterError
from schemas.table import ContractError

Main = Callable[[Sequence[str] | None], Any]


class TerminalParser(argparse.ArgumentParser):
    """An argument parser whose faults are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def terminal_parser(name: str, description: str, example: str) -> TerminalParser:
    """A parser for ``rewriter NAME`` with ``--bundles``, whose help ends with an example."""
    parser = TerminalParser(
        prog=f"rewriter {name}",
        description=description,
        epilog=f"example: rewriter {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundles", type=Path, required=True, help="folder of bundles, as `rewriter publish` writes it")
    return parser


def run_terminal(main: Main, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command: 0 when done, 2 and one line on standard error for what the caller can mend."""
    try:
        main(argv)
    except (RewriterError, ContractError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    raise SystemExit(0)
