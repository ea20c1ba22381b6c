"""Print the pseudonym of each user id, as `rewriter import` writes it and callers of the service send it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.command import Parser, run_main
from rewriter.errors import RewriterError
from rewriter.ingest.pseudonym import ENVIRONMENT, load_key, pseudonym


def main(argv: Sequence[str] | None = None) -> list[str]:
    """Print one pseudonym a line; ids come from the command line, else from the lines of standard input."""
    parser = Parser(
        prog="rewriter pseudonym",
        description=__doc__,
        epilog="example: rewriter pseudonym alice bob --salt-file log.key",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("ids", nargs="*", help="user ids as the assistant knows them (default: lines of standard input)")
    parser.add_argument("--salt-file", type=Path, help=f"the key of the import ({ENVIRONMENT} in the environment wins)")
    args = parser.parse_args(argv)
    if args.salt_file is None and not os.environ.get(ENVIRONMENT):
        parser.error(f"the key is needed: --salt-file, or {ENVIRONMENT} in the environment")
    key = load_key(args.salt_file or Path(), make=False)
    names = []
    for user_id in args.ids or (line.strip() for line in sys.stdin):
        if not user_id.strip():
            raise RewriterError("a user id is empty")
        names.append(pseudonym(user_id.strip(), key))
        print(names[-1])
    return names


if __name__ == "__main__":
    run_main(main)
