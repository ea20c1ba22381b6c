"""The mining benchmark's DuckDB queries count what the job counts, row by row, but for the forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from benchmarks.mining.counting import count_with_duckdb
from benchmarks.mining.job_counting import job_counts
from benchmarks.mining.log import write_log
from rewriter.markov.states import state_number
from rewriter.markov.support import day_words
from rewriter.markov.tally import FORM, OUTCOME, PAIR, TRANSITION, VOTE
from rewriter.settings import Mine, Settings

Rows = dict[tuple[int, ...], list[Any]]


def rows_of(database: Path) -> Rows:
    """(kind, source, via, target) -> a, b, and of pairs days, first and last; states by the job's numbers."""
    with duckdb.connect(str(database), read_only=True) as known:
        number = {state: state_number(locale, text) for state, locale, text, *_ in known.sql("FROM states").fetchall()}
        query = "SELECT kind, source, via, target, a, b, days, epoch_us(first), epoch_us(last) FROM counts"
        found = known.sql(query).fetchall()
    return {
        (kind, number[source], via, number.get(target, 0)): [*ends] if kind == PAIR else [*ends[:2]]
        for kind, source, via, target, *ends in found
        if kind != FORM
    }


def job_rows(out: Path, n_days: int) -> Rows:
    rows = pq.read_table(out / "sums").to_pylist()
    words = day_words(n_days)
    return {
        (row["kind"], row["source"], row["via"], row["target"]): [row["a"], row["b"]]
        + ([sum(row[word].bit_count() for word in words), row["first"], row["last"]] if row["kind"] == PAIR else [])
        for row in rows
    }


def test_duckdb_counts_what_the_job_counts(spark, tmp_path: Path):
    # A small cap: it binds in a log this short.
    settings = Settings(mine=Mine(user_cap=1.5, user_total_cap=40.0))
    write_log(tmp_path, 6000)
    turns, defects = tmp_path / "turns", tmp_path / "defects"
    count_with_duckdb(turns, defects, tmp_path, settings, memory="1GB")
    n_days = job_counts(turns, defects, tmp_path / "counted", settings)
    found, expected = rows_of(tmp_path / "counts.duckdb"), job_rows(tmp_path / "counted", n_days)
    assert found.keys() == expected.keys()
    assert {key[0] for key in found} >= {TRANSITION, OUTCOME, PAIR, VOTE}
    for key, row in expected.items():
        # Products of floats may differ in their last place, so weights by a few millionths; users and turns may not.
        assert found[key][0] == pytest.approx(row[0], abs=10 if key[0] in (TRANSITION, OUTCOME, VOTE) else 0), key
        assert found[key][1] == pytest.approx(row[1], abs=10 if key[0] == OUTCOME else 0), key
        assert found[key][2:] == row[2:]
