"""The nightly run as an Airflow 3 DAG: the stages of `jobs.plan`, one day a run.

A run starts at midnight UTC, when the day of its logical date has ended; it reads the window of days that ends with that day
and writes below ``runs/YYYY-MM-DD``, so running a day again changes nothing else; bundles of all days share one folder.
Airflow lives in an environment of its own: tasks call the project's Python as a command.

Environment of the scheduler
----------------------------
REWRITER_PYTHON
    Python of the project's environment (default: ``python``).
REWRITER_HOME
    Folder with ``turns/day=YYYY-MM-DD`` in it; runs and bundles are written beside (required: without it the
    DAG is an import error).
REWRITER_CONFIG
    TOML settings (default: none).
REWRITER_WINDOW_DAYS
    Days each run learns from (default: 28).
REWRITER_APPROVAL
    ``1`` puts a person's approval before publish (default: none).
"""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from jobs.plan import PLAN, TURNS, Stage, after, command

PYTHON = os.environ.get("REWRITER_PYTHON", "python")
if not os.environ.get("REWRITER_HOME"):
    raise RuntimeError("set REWRITER_HOME to the folder that holds turns/ (Airflow shows this as an import error)")
HOME = os.environ["REWRITER_HOME"]
CONFIG = os.environ.get("REWRITER_CONFIG")
WINDOW_DAYS = os.environ.get("REWRITER_WINDOW_DAYS", "28")
WITH_APPROVAL = os.environ.get("REWRITER_APPROVAL") == "1"

RUN = f"{HOME}/runs/{{{{ ds }}}}"
DAY = "{{ ds }}"


def shell(job: str, arguments: list[str]) -> str:
    """One job as a shell command; Airflow fills the day into the paths."""
    return " ".join(shlex.quote(word) for word in (PYTHON, "-m", f"jobs.{job}", *arguments))


def stage_command(stage: Stage) -> str:
    """The stage's command; what it publishes goes to the bundles shared by all days."""
    arguments = command(stage, f"{RUN}/turns", RUN, CONFIG)
    return shell(stage.job, [f"{HOME}/bundles" if word == f"{RUN}/bundles" else word for word in arguments])


with DAG(
    dag_id="query_rewriting_nightly",
    description="Dialogue log -> rephrases -> chains -> bundle, one day a run",
    # Airflow 3 reads "@daily" as an instant without an interval: a run at midnight would be named after the day it begins.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # each day's bundle names the one before as its parent
    default_args={"retries": 1},
    tags=["query-rewriting"],
) as dag:
    window = BashOperator(
        task_id="window",
        bash_command=shell(
            "window",
            ["--turns", f"{HOME}/turns", "--last-day", DAY, "--n-days", WINDOW_DAYS, "--out", f"{RUN}/turns"],
        ),
    )
    tasks = {stage.name: BashOperator(task_id=stage.name, bash_command=stage_command(stage)) for stage in PLAN}
    for stage in PLAN:
        if any(path == TURNS for _, path in stage.inputs):
            window >> tasks[stage.name]
        for name in after(stage):
            tasks[name] >> tasks[stage.name]
    if WITH_APPROVAL:
        approval = ApprovalOperator(
            task_id="approve_publish",
            subject="Publish the rewrites of {{ ds }}?",
            body=f"Evidence: {RUN}/tables/rewrite_pairs and {RUN}/tables/win_loss",
        )
        for name in after(PLAN[-1]):
            tasks[name] >> approval
        approval >> tasks[PLAN[-1].name]
