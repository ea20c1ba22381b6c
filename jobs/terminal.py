"""Command lines of the operators' commands, which all work on a folder of bundles."""

from __future__ import annotations

import argparse
from pathlib import Path

from jobs.command import Parser


def terminal_parser(name: str, description: str | None, example: str) -> Parser:
    """A parser for ``rewriter NAME`` with ``--bundles``, whose help ends with an example."""
    parser = Parser(
        prog=f"rewriter {name}",
        description=(description or "").strip(),
        epilog=f"example: rewriter {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundles", type=Path, required=True, help="folder of bundles, as `rewriter publish` writes it")
    return parser
