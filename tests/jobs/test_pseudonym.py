"""`rewriter pseudonym`: the names that callers of the service send are those of the imported log."""

from __future__ import annotations

import io

import pytest

from jobs import pseudonym
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
    monkeypatch.setattr("sys.stdin", io.StringIO("alice\n"))
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


def test_an_empty_id_is_refused(tmp_path):
    (tmp_path / "log.key").write_text(KEY)
    with pytest.raises(RewriterError, match="empty"):
        pseudonym.main([" ", "--salt-file", str(tmp_path / "log.key")])
