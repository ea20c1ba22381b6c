"""The direction of imports: schemas <- rewriter <- {jobs, serving}; airflow_dags knows the plan only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Package -> what none of its modules may import.
FORBIDDEN = {
    "schemas": {"rewriter", "jobs", "serving", "airflow_dags", "torch", "transformers", "fastapi", "airflow"},
    "rewriter": {"jobs", "serving", "airflow_dags", "pyspark", "fastapi", "uvicorn", "airflow"},
    "rewriter/markov": {"torch", "transformers"},
    "serving": {"jobs", "airflow_dags", "pyspark", "torch", "transformers", "airflow"},
    "jobs": {"airflow_dags", "airflow"},
    "airflow_dags": {"schemas", "rewriter", "serving", "pyspark", "torch", "transformers"},
}


def imports_of(file: Path) -> set[str]:
    """Dotted names of every module that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_nothing_above_it(package: str):
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for name in imports_of(file)
        if name.split(".")[0] in FORBIDDEN[package] and file.name != "spark.py"
    ]
    assert not wrong


def test_airflow_knows_only_the_plan():
    for file in (ROOT / "airflow_dags").rglob("*.py"):
        own = {name for name in imports_of(file) if name.split(".")[0] == "jobs"}
        assert own <= {"jobs.plan"}


def test_the_plan_itself_needs_nothing_but_the_standard_library():
    outside = {name.split(".")[0] for name in imports_of(ROOT / "jobs/plan.py")} - set(sys.stdlib_module_names)
    assert not outside


@pytest.mark.parametrize("module", ["serving.app", "jobs.serve"])
def test_the_service_runs_without_spark_and_torch(module: str):
    code = f"import {module}, sys; print([m for m in ('pyspark', 'torch', 'transformers', 'pandas') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
