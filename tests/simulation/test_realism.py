"""The measuring command measures what it says, on dialogues small enough to count by hand."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "simulation" / "run.py"


@pytest.fixture(scope="module")
def realism():
    spec = importlib.util.spec_from_file_location("realism", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_word_errors_are_counted_by_kind(realism):
    assert realism.edits("turn on the hall lights please".split(), "turn the whole lights please now".split()) == {
        "deleted": 1, "substituted": 1, "inserted": 1,
    }  # fmt: skip
    figures = realism.recogniser_figures(["Play it!", "stop now"], ["play it", "now"])
    assert figures["word error rate"] == 0.25
    assert figures["requests misheard"] == 0.5
    assert figures["substitutions of word errors"] == 0.0


def test_repeats_and_rewordings_are_counted_in_their_own_session_only(realism):
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    rows = [
        # session, second, said, meaning, failed
        ("a", 0, "play tide", "tide", True),
        ("a", 6, "play tide", "tide", True),
        ("a", 14, "put on tide", "tide", False),
        ("b", 0, "call mom", "mom", True),
        ("c", 1, "call mom", "mom", False),
        ("d", 0, "stop it", "stop", True),
        ("d", 5, "what time", "time", False),
        ("d", 9, "please stop", "stop", False),
    ]
    ids = [str(i) for i in range(len(rows))]
    turns = pa.table(
        {
            "turn_id": ids,
            "session_id": [r[0] for r in rows],
            "at": [begin + timedelta(seconds=r[1]) for r in rows],
            "utterance": [r[2] for r in rows],
            "asr_confidence": [0.9] * len(rows),
            "asr_nbest": [[{"text": r[2], "score": 0.9}] for r in rows],
            "response_status": ["fallback" if r[4] else "ok" for r in rows],
            "barge_in": [r[4] for r in rows],
        }
    )
    truth = pa.table(
        {
            "turn_id": ids,
            "said": [r[2] for r in rows],
            "meaning": [r[3] for r in rows],
            "defective": [r[4] for r in rows],
            "goal_turn": [True] * len(rows),
        }
    )
    figures = realism.dialogue_figures(turns, truth)
    assert figures["failures repeated word for word"] == 0.25
    assert figures["failures reworded at once"] == 0.25
    assert figures["failures said again within three turns"] == 0.75
    assert figures["failures that end the session"] == 0.25
    assert figures["gap between attempts, median s"] == 7.0
    assert (figures["barge-in on failures"], figures["barge-in on successes"]) == (1.0, 0.0)


def test_figures_of_dialogues_that_are_not_at_hand_are_kept(realism, tmp_path, capsys):
    file = tmp_path / "realism.json"
    file.write_text('{"dstc2": {"requests": 7.0}, "simulated": {"requests": -1.0}}\n', "utf-8")
    realism.main(["--users", "5", "--days", "2", "--json", str(file)])
    got = json.loads(file.read_text("utf-8"))
    assert got["dstc2"] == {"requests": 7.0}
    assert got["simulated"]["requests"] > 0
    assert "| | simulated | dstc2 |" in capsys.readouterr().out
