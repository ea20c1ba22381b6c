"""The window of a scheduled run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jobs.window import main, window_of
from rewriter.errors import RewriterError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for day in range(1, 8):
        folder = tmp_path / "turns" / f"day=2026-03-0{day}"
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_text(str(day), "utf-8")
    return tmp_path / "turns"


def test_the_window_ends_with_the_day_and_holds_no_later_one(log: Path, tmp_path: Path):
    main(["--turns", str(log), "--last-day", "2026-03-05", "--n-days", "3", "--out", str(tmp_path / "w")])
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == [f"day=2026-03-0{d}" for d in (3, 4, 5)]
    assert (tmp_path / "w/day=2026-03-04/part-0.parquet").read_text("utf-8") == "4"


def test_an_empty_window_says_what_the_log_holds(log: Path):
    with pytest.raises(RewriterError, match="the log holds 2026-03-01 to 2026-03-07"):
        window_of(log, date(2026, 4, 1), 3)


def test_a_window_whose_last_day_is_missing_is_refused_by_that_day(log: Path):
    with pytest.raises(RewriterError, match=r"no turns of 2026-03-08, the last day .*day=2026-03-08 is missing"):
        window_of(log, date(2026, 3, 8), 3)


def test_a_window_may_lack_days_before_its_last(log: Path):
    assert [p.name[-2:] for p in window_of(log, date(2026, 3, 2), 5)] == ["01", "02"]


def test_a_log_without_days_is_named(tmp_path: Path):
    with pytest.raises(RewriterError, match="not partitioned by day"):
        window_of(tmp_path, date(2026, 3, 1), 3)
