"""The DAG under a real Airflow: its shape, and one day's run on a small log, parts of it twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.plan import PLAN, after

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".venv-airflow/bin/airflow"
DAG = "query_rewriting_nightly"
DAY = "2026-03-08"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A scheduler's home: Airflow's own database, and a small log with the settings of a small run."""
    assert AIRFLOW.exists(), "no Airflow: run `make airflow` (make test does)"
    folder = tmp_path_factory.mktemp("airflow")
    simulate = [sys.executable, "-m", "jobs.simulate", "--out", str(folder), "--users", "80", "--days", "7", "--seed", "3"]
    subprocess.run(simulate, cwd=ROOT, check=True, capture_output=True)
    (folder / "small.toml").write_text(
        f'[mine]\nmin_users = 2\nmin_sessions = 2\nmin_days = 1\n[train]\nencoder = "{tiny_bert}"\nmax_steps = 4\n', "utf-8"
    )
    return folder


def airflow(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow_dags"),
        "PYTHONPATH": str(ROOT),
        "REWRITER_PYTHON": sys.executable,
        "REWRITER_HOME": str(home),
        "REWRITER_CONFIG": str(home / "small.toml"),
        "REWRITER_WINDOW_DAYS": "6",
        **more,
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.run([str(AIRFLOW), *words], cwd=home, env=environment, capture_output=True, text=True, timeout=880)


@pytest.fixture(scope="module")
def database(home: Path) -> Path:
    said = airflow(home, "db", "migrate")
    assert said.returncode == 0, said.stderr[-2000:]
    return home


def test_the_dag_holds_the_plans_stages_and_an_approval_only_where_it_is_switched_on(database: Path):
    plain = airflow(database, "tasks", "list", DAG).stdout.split()
    asked = airflow(database, "tasks", "list", DAG, REWRITER_APPROVAL="1").stdout.split()
    assert {stage.name for stage in PLAN} | {"window"} <= set(plain)
    assert "approve_publish" not in plain
    assert set(asked) - set(plain) == {"approve_publish"}


def asked_of_the_dag(database: Path, code: str) -> set[str]:
    """The words that code with the DAG at hand prints, in Airflow's Python."""
    begin = "import sys; sys.path.insert(0, sys.argv[1]); from airflow_dags.nightly import dag\n"
    said = subprocess.run(
        [str(AIRFLOW.with_name("python")), "-c", begin + code, str(ROOT)],
        env=os.environ | {"AIRFLOW_HOME": str(database / "airflow"), "REWRITER_HOME": str(database)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(said.stdout.split())


def test_a_run_at_midnight_is_of_the_day_that_has_ended(database: Path):
    code = (
        "from airflow.serialization.serialized_objects import DagSerialization\n"
        "from airflow.timetables.base import TimeRestriction\n"
        "from pendulum import datetime\n"
        "timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable\n"
        "since = TimeRestriction(earliest=datetime(2026, 3, 21), latest=None, catchup=True)\n"
        "run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=since)\n"
        "print('at=' + run.run_after.isoformat(), 'ds=' + run.logical_date.strftime('%Y-%m-%d'))"
    )
    assert {"at=2026-03-22T00:00:00+00:00", "ds=2026-03-21"} <= asked_of_the_dag(database, code)


def test_the_dag_orders_tasks_as_the_plan_does(database: Path):
    edges = asked_of_the_dag(
        database, "print(*(f'{t.task_id}<{u}' for t in dag.tasks for u in sorted(t.upstream_task_ids)))"
    )
    assert {f"{stage.name}<{name}" for stage in PLAN for name in after(stage)} <= edges
    assert "train_defects<window" in edges


def test_without_a_home_the_dag_is_an_import_error_that_names_it(database: Path):
    said = airflow(database, "dags", "list-import-errors", "--local", REWRITER_HOME="")
    assert "set REWRITER_HOME" in said.stdout + said.stderr


def test_one_day_runs_to_a_published_bundle_and_its_tasks_again_change_nothing(database: Path):
    first = airflow(database, "dags", "test", DAG, DAY)
    assert first.returncode == 0, (first.stdout + first.stderr)[-4000:]
    current = (database / "bundles/CURRENT").read_text("utf-8")
    manifest = (database / "bundles" / current.strip() / "manifest.json").read_bytes()
    linked = {path.name for path in (database / "runs" / DAY / "turns").iterdir()}
    assert linked == {f"day=2026-03-0{d}" for d in range(3, 9)}
    for task in ("window", "build_global", "publish"):
        again = airflow(database, "tasks", "test", DAG, task, DAY)
        assert again.returncode == 0, (again.stdout + again.stderr)[-4000:]
    assert (database / "bundles/CURRENT").read_text("utf-8") == current
    assert (database / "bundles" / current.strip() / "manifest.json").read_bytes() == manifest
