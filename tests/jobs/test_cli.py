"""The `rewriter` command as a terminal sees it: help, and one line with exit code 2 for bad input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def rewriter(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs.cli", *words], cwd=ROOT, capture_output=True, text=True, timeout=120)


def one_line(said: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in said.stderr.splitlines() if line.startswith("error:")]
    assert said.returncode == 2, said.stderr
    assert "Traceback" not in said.stderr
    assert len(lines) == 1, said.stderr
    return lines[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str):
    said = rewriter(name, "--help")
    assert said.returncode == 0, said.stderr
    assert "example" in said.stdout


def test_unknown_and_missing_commands_are_named():
    assert "unknown command 'fly'" in one_line(rewriter("fly"))
    assert "no command given" in one_line(rewriter())


def test_a_log_that_is_not_there_is_named(tmp_path: Path):
    assert "no such file or folder" in one_line(
        rewriter("run", "--turns", str(tmp_path / "no"), "--out", str(tmp_path / "w"))
    )
    assert not (tmp_path / "w").exists()


def test_a_log_with_a_wrong_column_names_every_fault_and_runs_nothing(tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({"turn_id": ["1"], "user_id": ["u"], "turn_index": [1], "utterance": ["hi"]}), tmp_path / "t.parquet"
    )
    said = one_line(rewriter("run", "--turns", str(tmp_path / "t.parquet"), "--out", str(tmp_path / "w")))
    assert "missing 'at' (timestamp[us, UTC])" in said
    assert "missing 'locale' (string)" in said
    assert "turn_index is int64, expected int32" in said
    assert not (tmp_path / "w").exists()


def test_an_empty_log_is_named(tmp_path: Path):
    import pyarrow.parquet as pq

    from schemas.tables import TURNS

    pq.write_table(TURNS.schema.empty_table(), tmp_path / "t.parquet")
    assert "empty" in one_line(rewriter("run", "--turns", str(tmp_path / "t.parquet"), "--out", str(tmp_path / "w")))


def test_settings_that_do_not_exist_are_all_named(tmp_path: Path):
    (tmp_path / "c.toml").write_text("[mine]\nmin_user = 3\nmin_days = 'two'\n", "utf-8")
    said = one_line(rewriter("run", "--turns", ".", "--out", str(tmp_path / "w"), "--config", str(tmp_path / "c.toml")))
    assert "unknown key 'mine.min_user'" in said
    assert "'mine.min_days' is 'two', expected int" in said


def test_print_config_reads_back_as_the_defaults(tmp_path: Path):
    from rewriter.config import read_settings
    from rewriter.settings import Settings

    (tmp_path / "c.toml").write_text(rewriter("run", "--print-config").stdout, "utf-8")
    assert read_settings(tmp_path / "c.toml") == Settings()
