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
    """Print one pseudonym a line, or none if an id is wrong; ids are arguments, else the lines of standard input."""
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
    names = [_named(place, user_id.strip(), key) for place, user_id in enumerate(args.ids or _lines(), start=1)]
    print("\n".join(names))
    return names


def _lines() -> list[str]:
    """The lines of standard input, without the mark that some editors put before UTF-8."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RewriterError(f"standard input is not UTF-8 (byte {error.start})") from None


def _named(place: int, user_id: str, key: bytes) -> str:
    if not user_id:
        raise RewriterError(f"user id {place} is empty")
    try:
        return pseudonym(user_id, key)
    except UnicodeEncodeError:
        raise RewriterError(f"user id {place} is not UTF-8") from None


if __name__ == "__main__":
    run_main(main)
