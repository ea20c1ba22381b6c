"""`rewriter simulate`: contract tables, the same bytes again, chaining, and clear faults."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.command import run_main
from jobs.simulate import main
from rewriter.simulation.tables import OUTCOMES
from schemas.table import conform
from schemas.tables import FEEDBACKS, REWRITE_PAIRS, TRUTH, TRUTH_PAIRS, TURNS

ARGUMENTS = ["--users", "220", "--days", "4", "--seed", "5"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated")
    return out, main(["--out", str(out), *ARGUMENTS])


def rows(folder):
    return pa.concat_tables([pq.ParquetFile(f).read() for f in sorted(folder.rglob("*.parquet"))])


def test_the_tables_keep_their_contracts(log):
    out, counts = log
    for name, table in (("turns", TURNS), ("truth", TRUTH), ("truth_pairs", TRUTH_PAIRS)):
        data = conform(table, rows(out / name))
        assert data.schema == rows(out / name).schema
    turns = rows(out / "turns")
    assert turns.num_rows == counts["turns"] == rows(out / "truth").num_rows > 200
    assert set(turns["turn_id"].to_pylist()) == set(rows(out / "truth")["turn_id"].to_pylist())
    assert set(turns["response_status"].to_pylist()) <= {"ok", "no_result", "error", "fallback", "unsupported"}
    assert set(turns["feedback"].to_pylist()) <= {None, *FEEDBACKS}
    assert rows(out / "outcomes").schema == OUTCOMES


def test_turns_lie_in_the_folder_of_their_day(log):
    out, _ = log
    folders = sorted(f.name for f in (out / "turns").iterdir())
    assert folders == ["day=2026-03-02", "day=2026-03-03", "day=2026-03-04", "day=2026-03-05"]
    for folder in folders:
        days = {at.date().isoformat() for at in rows(out / "turns" / folder)["at"].to_pylist()}
        assert days == {folder.removeprefix("day=")}


def test_the_same_arguments_give_the_same_bytes(log, tmp_path):
    out, _ = log
    main(["--out", str(tmp_path), *ARGUMENTS])
    files = sorted(f.relative_to(out) for f in out.rglob("*.parquet"))
    assert files == sorted(f.relative_to(tmp_path) for f in tmp_path.rglob("*.parquet"))
    assert all((out / f).read_bytes() == (tmp_path / f).read_bytes() for f in files)


def test_published_pairs_are_served_and_logged_and_only_active_ones(log, tmp_path):
    out, _ = log
    truth = rows(out / "truth_pairs").to_pylist()
    row = dict.fromkeys(REWRITE_PAIRS.schema.names)
    pairs = [
        row | {"locale": "en-US", "source": p["source"], "rewrite": p["rewrite"], "status": "active" if i % 4 else "blocked"}
        for i, p in enumerate(truth)
    ]
    pq.write_table(pa.Table.from_pylist(pairs), tmp_path / "pairs.parquet")
    following = ["--out", str(tmp_path / "next"), "--users", "220", "--days", "9", "--seed", "5", "--first-day", "4"]
    counts = main([*following, "--pairs", str(tmp_path / "pairs.parquet"), "--holdout", "0.4"])
    logged = [r for r in rows(tmp_path / "next" / "turns").to_pylist() if r["rewrite"]]
    assert len(logged) == counts["rewritten"] > 3
    active = {p["source"]: p["rewrite"] for p in pairs if p["status"] == "active"}
    assert all(active[r["utterance"]] == r["rewrite"]["served"] for r in logged)
    assert {r["rewrite"]["arm"] for r in logged} == {"treatment", "holdout"}
    outcomes = {r["turn_id"]: r for r in rows(tmp_path / "next" / "outcomes").to_pylist()}
    assert any(outcomes[r["turn_id"]]["success_as_served"] and not outcomes[r["turn_id"]]["success_as_is"] for r in logged)
    assert min(r["at"] for r in logged).date().isoformat() >= "2026-03-06"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--users", "0"], "--users is 0, at least 1 is needed"),
        (["--scenario", "sunny"], "invalid choice: 'sunny'"),
        (["--holdout", "2"], "--holdout is 2.0"),
        (["--pairs", "nowhere"], "no such file or folder: nowhere"),
        (["--start", "monday"], "argument --start"),
    ],
)
def test_faults_of_the_caller_are_one_line_and_exit_code_2(tmp_path, capsys, change, message):
    with pytest.raises(SystemExit) as stopped:
        run_main(main, ["--out", str(tmp_path / "out"), *ARGUMENTS, *change])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_a_table_without_pairs_is_named(tmp_path, capsys):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(SystemExit) as stopped:
        run_main(main, ["--out", str(tmp_path / "out"), *ARGUMENTS, "--pairs", str(tmp_path)])
    assert stopped.value.code == 2
    assert "missing rewrite, source" in capsys.readouterr().err
