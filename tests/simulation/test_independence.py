"""The simulator shares nothing with what it tests."""

from __future__ import annotations

import ast
from pathlib import Path

import rewriter.simulation

OWN = ("rewriter", "schemas", "jobs", "serving")
ALLOWED = ("rewriter.simulation", "rewriter.errors", "schemas")


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_simulator_imports_no_part_that_learns_and_no_text_helper():
    files = sorted(Path(rewriter.simulation.__file__).parent.glob("*.py"))
    assert len(files) > 10
    names = {name for file in files for name in imported(file)}
    assert not {name for name in names if name.split(".")[0] in OWN and not name.startswith(ALLOWED)}
    assert not {name for name in names if name.split(".")[0] in ("rapidfuzz", "jellyfish", "pyspark", "torch")}
