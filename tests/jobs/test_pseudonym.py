"""`rewriter pseudonym`: the names that callers of the service send are those of the imported log."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
import pytest

from jobs import import_turns, pseudonym
from rewriter.errors import RewriterError
from rewriter.ingest.pseudonym import ENVIRONMENT

KEY = "0123456789abcdef"
ALICE = "ufdbf8b1cacd3d578e062d0e41104357d"


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_ids_of_the_command_line(tmp_path, capsys):
    (tmp_path / "log.key").write_text(KEY + "\n")
    pseudonym.main(["alice", "bob", "--salt-file", str(tmp_path / "log.key")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ALICE
    assert len(lines) == len(set(lines)) == 2


def test_ids_of_standard_input_with_the_key_of_the_environment(monkeypatch, capsys):
    monkeypatch.setenv(ENVIRONMENT, KEY)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\ufeffalice\n".encode())))
    pseudonym.main([])
    assert capsys.readouterr().out == ALICE + "\n"


def test_a_missing_key_is_named_and_not_made(tmp_path):
    with pytest.raises(RewriterError, match=r"log\.key: No such file"):
        pseudonym.main(["alice", "--salt-file", str(tmp_path / "log.key")])
    assert not list(tmp_path.iterdir())


def test_without_any_key_it_says_what_to_give(capsys):
    with pytest.raises(SystemExit) as stop:
        pseudonym.main(["alice"])
    assert stop.value.code == 2
    assert ENVIRONMENT in capsys.readouterr().err


@pytest.mark.parametrize(("given", "fault"), [(b"alice\n\nbob\n", "user id 2 is empty"), (b"al\xffice\n", "not UTF-8")])
def test_a_wrong_id_is_named_and_nothing_is_printed(given, fault, monkeypatch, capsys):
    monkeypatch.setenv(ENVIRONMENT, KEY)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
    with pytest.raises(RewriterError, match=fault):
        pseudonym.main([])
    assert not capsys.readouterr().out


def test_an_argument_that_is_no_text_is_refused(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, KEY)
    with pytest.raises(RewriterError, match="user id 1 is not UTF-8"):
        pseudonym.main(["\udcff"])


def test_the_names_are_those_of_the_imported_log(tmp_path):
    (tmp_path / "calls.csv").write_text("user_id,at,locale,utterance\nalice,2026-03-01T10:00:00Z,en-US,play beat it\n")
    import_turns.main(["csv", str(tmp_path / "calls.csv"), "--out", str(tmp_path / "log")])
    (file,) = (tmp_path / "log/turns").rglob("*.parquet")
    names = pq.read_table(file, columns=["user_id"]).column("user_id").to_pylist()
    assert pseudonym.main(["alice", "--salt-file", str(tmp_path / "log.key")]) == names
