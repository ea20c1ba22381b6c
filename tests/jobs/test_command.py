"""Paths that cannot be written are one line and exit code 2, and nothing there is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command import run_main
from jobs.storage import whole_folder
from rewriter.errors import RewriterError


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str):
    (tmp_path / "file").write_text("kept", "utf-8")

    def write(_argv: object) -> None:
        with whole_folder(tmp_path / place):
            pass

    with pytest.raises(SystemExit) as leaving:
        run_main(write)
    said = capsys.readouterr().err
    assert leaving.value.code == 2
    assert said.startswith(f"error: {tmp_path}/file")
    assert said.count("\n") == 1
    assert (tmp_path / "file").read_text("utf-8") == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_fault_of_the_system_without_a_path_is_not_hidden():
    def fail(_argv: object) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        run_main(fail)


@pytest.mark.parametrize("out", [".", "..", ""])
def test_the_folder_one_stands_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/notes.txt").write_text("kept", "utf-8")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RewriterError, match="the folder you are in"), whole_folder(Path(out)):
        pass
    assert (tmp_path / "here/notes.txt").read_text("utf-8") == "kept"


def test_a_folder_named_by_a_way_round_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    monkeypatch.chdir(tmp_path / "here")
    with whole_folder(Path("../out")) as folder:
        (folder / "new").touch()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["new"]
