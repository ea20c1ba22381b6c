"""A Spark session starts with and without kept classes, wherever they lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobs import session

ROOT = Path(__file__).resolve().parents[2]
COUNT = """\
import sys
from pathlib import Path
from jobs import session
session.SHARED_CLASSES = Path(sys.argv[1])
print(session.spark_session().range(3).count())
"""


def test_kept_classes_are_named_to_the_jvm_only_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = tmp_path / "some folder" / "spark.jsa"
    monkeypatch.setattr(session, "SHARED_CLASSES", kept)
    assert "SharedArchiveFile" not in session._java_options()
    kept.parent.mkdir()
    kept.write_bytes(b"")
    assert f'-XX:SharedArchiveFile="{kept}"' in session._java_options()


def test_classes_that_do_not_fit_are_loaded_anew_without_a_word(tmp_path: Path):
    kept = tmp_path / "some folder" / "spark.jsa"
    kept.parent.mkdir()
    kept.write_bytes(b"of another JVM")
    done = subprocess.run([sys.executable, "-c", COUNT, str(kept)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout == "3\n", done.stderr[-2000:]
    assert "cds" not in done.stderr.lower()
