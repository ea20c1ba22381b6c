"""Write the report of a run: a folder with index.html, which opens offline, and report.json with the same numbers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.command import Parser, run_main
from rewriter.report.numbers import report_numbers
from rewriter.report.page import render


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the report; returns where it is and what is missing from it."""
    parser = Parser(
        prog="rewriter report",
        description=(__doc__ or "").strip(),
        epilog="example: rewriter report --warehouse warehouse --decisions warehouse/decisions --out report",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--warehouse", type=Path, required=True, help="folder that `rewriter run` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for index.html and report.json; both are replaced")
    parser.add_argument("--decisions", type=Path, help="decision log of the service (default: WAREHOUSE/decisions)")
    args = parser.parse_args(argv)
    numbers = report_numbers(args.warehouse, args.decisions)
    page = render(numbers)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.json").write_text(json.dumps(numbers, sort_keys=True, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (args.out / "index.html").write_text(page, "utf-8")
    for line in numbers["missing"]:
        print(f"missing: {line}")
    print(f"report: {args.out / 'index.html'}")
    return {"page": str(args.out / "index.html"), "missing": len(numbers["missing"])}


if __name__ == "__main__":
    run_main(main)
