"""Import a log of JSON lines, CSV or Parquet: checked row by row, users pseudonymised, merged without duplicates.

Broken rows go to DIR/quarantine with every reason. Importing the same file twice changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from jobs.command import Parser, run_main
from rewriter.errors import RewriterError
from rewriter.ingest.mapping import Source, identity, read_mapping
from rewriter.ingest.pseudonym import load_key, pseudonym
from rewriter.ingest.readers import FORMATS, READERS, csv_header, parquet_schema, source_files
from rewriter.ingest.rows import read_chunk, require_columns
from rewriter.ingest.store import Merged, Quarantine, Staging, alone, merge, move_into_place

EXAMPLE = "rewriter import jsonl calls.jsonl --out log --mapping mapping.toml --locale en-US"
_SHOWN_REASONS = 10


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="rewriter import",
        description=(__doc__ or "").strip(),
        epilog=f"example: {EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("format", choices=FORMATS, help="format of the log")
    parser.add_argument("src", type=Path, help="file, or folder of files")
    parser.add_argument("--out", type=Path, required=True, help="folder for turns/ and quarantine/; added to if it exists")
    parser.add_argument("--mapping", type=Path, help="TOML: which column fills which column of turns (docs/importing.md)")
    parser.add_argument("--locale", help="locale of every row, e.g. en-US, for logs without one")
    users = parser.add_mutually_exclusive_group()
    users.add_argument(
        "--salt-file",
        type=Path,
        help="secret key of the users' pseudonyms, made if absent (default: OUT.key; REWRITER_KEY in the environment wins)",
    )
    users.add_argument("--keep-users", action="store_true", help="the log's user ids are pseudonyms already")
    return parser


def _check_columns(fmt: str, files: list[Path], sources: dict[str, Source]) -> None:
    for file in files:
        if fmt == "parquet":
            require_columns(str(file), parquet_schema(file), sources)
        elif fmt == "csv" and file.stat().st_size:
            require_columns(str(file), csv_header(file), sources)


def _digest(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()[:12]


def _name(file: Path, src: Path) -> str:
    return file.name if file == src else file.relative_to(src).as_posix()


class _Import:
    """One import: staged turns, one quarantine a file, and what was wrong."""

    def __init__(self, out: Path, files: list[Path], src: Path) -> None:
        self.staging = Staging(out / ".importing")
        names = [_name(f, src) for f in files]
        self.quarantines = [
            Quarantine(self.staging.folder / "quarantine" / f"{n.replace('/', '-')}-{_digest(f)}.parquet", n)
            for n, f in zip(names, files, strict=True)
        ]
        self.reasons: Counter[str] = Counter()
        self.first_fault = ""
        self.n_read = 0

    def read(
        self, fmt: str, files: list[Path], sources: dict[str, Source], name: Callable[[str], str] | None
    ) -> Iterator[int]:
        """Read every file; yields the number of rows of each chunk."""
        for number, (file, quarantine) in enumerate(zip(files, self.quarantines, strict=True)):
            for chunk in READERS[fmt](file):
                turns, rows, broken = read_chunk(chunk, sources, name)
                self.staging.add(turns, number, rows)
                quarantine.add(broken)
                self.reasons.update(reason.split(":")[0] for _, reasons, _ in broken for reason in reasons)
                if broken and not self.first_fault:
                    self.first_fault = f"row {broken[0][0]}: " + "; ".join(broken[0][1])
                self.n_read += len(chunk.rows) + len(chunk.broken)
                yield len(chunk.rows) + len(chunk.broken)

    def finish(self, out: Path, src: Path) -> Merged:
        """Merge and move everything into place.

        Raises
        ------
        RewriterError
            If there was nothing to read, or no row could be used; then nothing is changed.
        """
        if not self.n_read:
            raise RewriterError(f"{src}: the log is empty")
        if not self.staging.n_rows:
            raise RewriterError(f"{src}: none of {self.n_read:,} rows can be used; {self.first_fault}")
        merged, moves = merge(self.staging, out / "turns")
        for source, row, reason, raw in merged.conflicts:
            self.quarantines[source].add([(row, [reason], raw)])
            self.reasons["duplicated turn_id with different content"] += 1
        for quarantine in self.quarantines:
            quarantine.close()
            place = out / "quarantine" / quarantine.file.name
            if quarantine.n_rows:
                moves[quarantine.file] = place
            else:
                place.unlink(missing_ok=True)
        move_into_place({k: v for k, v in moves.items() if v.parent.name.startswith("day=")})
        for file, place in moves.items():
            if place.parent.name == "quarantine":
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        return merged

    @property
    def n_quarantined(self) -> int:
        """Rows set aside."""
        return sum(q.n_rows for q in self.quarantines)


def _progress() -> Progress:
    columns = (TextColumn("importing: {task.completed:,.0f} rows"), TimeElapsedColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=True)


def _summary(counts: dict[str, Any], reasons: Counter[str], out: Path) -> None:
    print(
        f"{counts['read']:,} rows read: {counts['added']:,} turns added, {counts['duplicates']:,} known already, "
        f"{counts['quarantined']:,} quarantined"
    )
    for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_REASONS]:
        print(f"  {n:,} x {reason}")
    if counts["quarantined"]:
        print(f"  rows and all reasons: {out / 'quarantine'}")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Import a log; returns the numbers of rows read, added, known already and quarantined."""
    args = _parser().parse_args(argv)
    sources = read_mapping(args.mapping, args.locale) if args.mapping else identity(args.locale)
    files = source_files(args.format, args.src)
    _check_columns(args.format, files, sources)
    named = args.out if args.out.name not in ("", "..") else args.out.resolve()
    key_file = args.salt_file or named.with_name(named.name + ".key")
    name = None if args.keep_users else partial(pseudonym, key=load_key(key_file))
    existed = args.out.exists()
    with alone(args.out):
        done = _Import(args.out, files, args.src)
        try:
            with _progress() as bar:
                task = bar.add_task("rows", total=None)
                for n in done.read(args.format, files, sources, name):
                    bar.advance(task, n)
                merged = done.finish(args.out, args.src)
        finally:
            shutil.rmtree(done.staging.folder, ignore_errors=True)
            if not existed and args.out.is_dir() and not any(args.out.iterdir()):
                args.out.rmdir()
    counts = {"read": done.n_read, "added": merged.added, "duplicates": merged.duplicates, "quarantined": done.n_quarantined}
    _summary(counts, done.reasons, args.out)
    return counts


if __name__ == "__main__":
    run_main(main)
