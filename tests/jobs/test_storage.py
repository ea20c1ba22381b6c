"""Reading tables whose files differ, and files that break the contract in their rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import run
from jobs.command import run_main
from jobs.storage import check_files, read_table
from schemas.table import ContractError
from schemas.tables import TURNS

AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def turns(day: int, /, **columns: pa.Array) -> pa.Table:
    """One turn of a day with the required columns and those given, which replace them."""
    row: dict[str, Any] = {"turn_id": f"t{day}", "user_id": "u", "locale": "en-US", "utterance": "play jazz"}
    row["at"] = AT + dt.timedelta(days=day - 1)
    given = {f.name: pa.array([row[f.name]], f.type) for f in TURNS.schema if f.name in row}
    return pa.table(given | columns)


def write(folder: Path, **days: pa.Table) -> Path:
    for day, table in days.items():
        path = folder / f"day=2026-03-0{day[1:]}"
        path.mkdir(parents=True)
        pq.write_table(table, path / "part.parquet")
    return folder


def test_a_column_that_only_some_days_have_is_read_from_those(spark, tmp_path: Path):
    barged = {"barge_in": pa.array([True])}
    untyped = {"barge_in": pa.nulls(1), "response": pa.array(["ok"])}
    folder = write(tmp_path / "turns", d1=turns(1), d2=turns(2, **barged), d3=turns(3, **untyped))
    rows = read_table(spark, folder, TURNS).orderBy("turn_id").collect()
    assert [(r["turn_id"], r["barge_in"], r["response"], r["day"]) for r in rows] == [
        ("t1", None, None, "2026-03-01"),
        ("t2", True, None, "2026-03-02"),
        ("t3", None, "ok", "2026-03-03"),
    ]


def test_the_day_comes_from_the_instant_where_no_folder_names_it(spark, tmp_path: Path):
    pq.write_table(turns(2), tmp_path / "a.parquet")
    pq.write_table(turns(3, day=pa.array([dt.date(2026, 3, 9)])), tmp_path / "b.parquet")
    rows = read_table(spark, tmp_path, TURNS).orderBy("turn_id").collect()
    assert [r["day"] for r in rows] == ["2026-03-02", "2026-03-03"]
    assert [r["day"] for r in read_table(spark, tmp_path / "a.parquet", TURNS).collect()] == ["2026-03-02"]


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (pa.nulls(1, pa.timestamp("us", tz="UTC")), r"at holds 1 null\(s\)"),
        (pa.nulls(1), "at has no type, only nulls"),
    ],
)
def test_nulls_in_a_required_column_are_one_fault(tmp_path: Path, column: pa.Array, fault: str):
    folder = write(tmp_path / "turns", d1=turns(1), d2=turns(2, at=column))
    with pytest.raises(ContractError, match=f"day=2026-03-02.*: {fault}"):
        check_files(folder, TURNS)


def test_a_run_over_a_turn_without_an_instant_is_one_line_and_exit_2(tmp_path: Path, monkeypatch, capsys):
    folder = write(tmp_path / "turns", d1=turns(1, at=pa.nulls(1, pa.timestamp("us", tz="UTC"))))
    monkeypatch.setattr("sys.argv", ["rewriter run", "--turns", str(folder), "--out", str(tmp_path / "w")])
    with pytest.raises(SystemExit) as stop:
        run_main(run.main)
    error = capsys.readouterr().err.strip()
    assert (stop.value.code, error.count("\n")) == (2, 0)
    assert "at holds 1 null(s)" in error
    assert not (tmp_path / "w").exists()
