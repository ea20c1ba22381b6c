"""The README's pictures: the chain as it was mined, numbers of worked examples, nothing drawn without a demo."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from examples.picture_chain import chain_picture
from examples.picture_facts import Demo, choose_story, read_mined, solve
from examples.picture_mined import Mined
from rewriter.errors import RewriterError
from rewriter.markov.counts import Counts, counts_of, merge_edges
from rewriter.markov.states import state_number
from rewriter.settings import Mine, Settings
from rewriter.text import normalise

ROOT = Path(__file__).resolve().parents[2]


def mined_by_hand(transitions: list[tuple[str, str, float]], outcomes: list[tuple[str, float, float]]):
    """A chain of these counts; names that begin with # are readings."""

    counts, names = counts_of(transitions, outcomes)
    number = np.array([state_number("en-US", name) for name in names])
    order = np.argsort(number)
    place = np.argsort(order)
    edges = merge_edges(place[counts.source], place[counts.target], counts.weight, len(names))
    moved = Counts(*edges, counts.success[order], counts.failure[order])
    texts = tuple(names[k] for k in order)
    is_reading = np.array([text.startswith("#") for text in texts])
    meaning = {state_number("en-US", "v"): state_number("en-US", "#r")}
    return Mined(number[order], texts, is_reading, moved, meaning, pd.DataFrame())


WORKED = {"a": ("b30 c40", 5, 25), "b": ("c20 a2", 10, 18), "c": ("b5", 180, 15)}


def worked_example():
    """Counts a>b30 a>c40 a>S5 a>F25; b>c20 b>a2 b>S10 b>F18; c>S180 c>F15 c>b5."""
    transitions = [(i, step[0], float(step[1:])) for i, (steps, _, _) in WORKED.items() for step in steps.split()]
    return mined_by_hand(transitions, [(i, s, f) for i, (_, s, f) in WORKED.items()])


def pair_of(source: str, rewrite: str, share: float) -> pd.Series:
    return pd.Series({"locale": "en-US", "source": source, "rewrite": rewrite, "share": share})


WORKED_PAIR = ("a", "c", 0.4787 / 0.5928)


def test_the_worked_example_is_solved_as_published():
    solved = solve(worked_example(), pair_of(*WORKED_PAIR))
    assert [end.text for end in solved.ends] == ["c", "b", "a"]
    np.testing.assert_allclose([end.C for end in solved.ends], [0.4787, 0.0634, 0.0506], atol=5e-5)
    assert {said.text: said.step for said in solved.said} == pytest.approx({"b": 0.30, "c": 0.40})
    assert (solved.at_once.step, solved.success) == pytest.approx((0.30, 0.5928), abs=5e-5)
    failing = solved.at_once.failing + sum(said.failing for said in solved.said)
    assert solved.success + failing == pytest.approx(1.0, abs=1e-6)


def read_alike():
    """Of ten who say w three give up, one is understood and six say v: seven of its ten are read the same."""
    transitions = [("w", "v", 6.0), ("w", "#r", 1.0), ("v", "#r", 7.0), ("v", "#q", 1.0)]
    return mined_by_hand(transitions, [("w", 0, 3), ("v", 0, 2), ("#r", 8, 0), ("#q", 1, 0)])


def test_success_passes_through_what_the_rewrite_is_read_as():
    solved = solve(read_alike(), pair_of("w", "v", 0.52 / 0.58))
    assert [(end.text, end.is_reading) for end in solved.ends] == [("v", True), ("#q", True)]
    assert [end.C for end in solved.ends] == pytest.approx([0.1 + 0.6 * 0.7, 0.6 * 0.1])
    (said,) = solved.said
    assert (said.text, said.step, said.failing) == ("v", pytest.approx(0.6), pytest.approx(0.12))
    assert said.leads == pytest.approx((0.42, 0.06, 0.0))
    assert (solved.at_once.step, solved.at_once.failing) == pytest.approx((0.4, 0.3))
    assert solved.at_once.leads == pytest.approx((0.1, 0.0, 0.0))


def test_a_pair_of_another_run_is_refused():

    with pytest.raises(RewriterError, match=r"0\.8076.*0\.5000"):
        solve(worked_example(), pair_of("a", "c", 0.5))


def test_the_chain_picture_shows_its_numbers_inside_its_frame():
    for mined, pair, shown in (
        (worked_example(), WORKED_PAIR, {"C 0.479", "C 0.063", "C 0.051", "30.0%", "40.0%", "59.3%", "“c”"}),
        (read_alike(), ("w", "v", 0.52 / 0.58), {"C 0.520", "C 0.060", "60.0%", "58.0%", "understood as “v”"}),
    ):
        root = ElementTree.fromstring(chain_picture(solve(mined, pair_of(*pair))))
        texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
        assert shown <= {t.text for t in texts}
        width, height = float(root.get("width")), float(root.get("height"))
        assert all(0 < float(t.get("x")) < width and 0 < float(t.get("y")) < height for t in texts)


#: What each user says after "play feet it", with the chance that it rephrases it; the first sessions come first.
SAID_NEXT = [("put on beat it", 0.8)] * 4 + [("play beat it", 0.9)] * 6 + [("play the news", 0.7)] + [None] * 2
SONG = {"domain": "music", "intent": "play_song", "slots": [("song", "beat it")]}
NEWS = {"domain": "news", "intent": "play_news", "slots": []}


def planted_turns() -> list[dict[str, Any]]:
    """Thirteen users on two days, one session each."""
    rows = []
    for k, following in enumerate(SAID_NEXT):
        at = dt.datetime(2026, 3, 1 + k % 2, 12, k, tzinfo=dt.UTC)
        base = {"user_id": f"u{k}", "session_id": f"s{k}", "locale": "en-US"}
        failed = {"turn_id": f"t{k}a", "at": at, "utterance": "Play feet it", "response_status": "no_result"}
        rows.append(base | failed | {"response": "Sorry."})
        if following:
            repair = {"turn_id": f"t{k}b", "at": at + dt.timedelta(seconds=6), "utterance": following[0]}
            read_as = NEWS if following[0] == "play the news" else SONG
            rows.append(base | repair | read_as | {"response_status": "ok", "response": "Here it is."})
    return rows


@pytest.fixture(scope="module")
def planted(spark, tmp_path_factory):
    """The demo's folder of a planted log, mined as `rewriter run` does it."""
    from jobs import mine_rewrites
    from jobs.storage import read_arrow
    from schemas.tables import DEFECTS, REPHRASES, REWRITE_PAIRS, TURNS

    folder, rows = tmp_path_factory.mktemp("demo"), planted_turns()
    tables, model = folder / "warehouse/tables", folder / "warehouse/models/rephrase"
    failed = {r["turn_id"]: r["turn_id"].endswith("a") for r in rows}
    defects = [{"turn_id": t, "defect": 0.95 if bad else 0.05, "defective": bad, "signals": []} for t, bad in failed.items()]
    linked = [{"turn_id": f"t{k}a", "rephrase_turn_id": f"t{k}b", "p": said[1]} for k, said in enumerate(SAID_NEXT) if said]
    rephrases = [{"probability": row.pop("p"), "gap_s": 6.0, "model_version": "m"} | row for row in linked]
    for path, schema, content in (
        (folder / "log/turns", TURNS, rows),
        (tables / "defects", DEFECTS, defects),
        (tables / "rephrases", REPHRASES, rephrases),
    ):
        path.mkdir(parents=True)
        table = pa.Table.from_pylist([dict.fromkeys(schema.schema.names) | row for row in content], schema=schema.schema)
        pq.write_table(table, path / "part-0.parquet")
    model.mkdir(parents=True)
    (model / "decision.json").write_text(json.dumps({"threshold": 0.4, "model_version": "m"}))
    config = folder / "mine.toml"
    config.write_text("[mine]\nmin_users = 3\nmin_sessions = 3\n")
    arguments = ["--turns", folder / "log/turns", "--defects", tables / "defects", "--rephrases", tables / "rephrases"]
    arguments += ["--rephrase-model", model, "--out", tables / "rewrite_pairs", "--config", config]
    mine_rewrites.main([str(argument) for argument in arguments])
    log = pd.DataFrame(rows).assign(barge_in=False, state=[normalise(r["utterance"]) for r in rows])
    pairs = read_arrow(tables / "rewrite_pairs", REWRITE_PAIRS).to_pandas()
    settings = Settings(mine=Mine(min_users=3, min_sessions=3))
    return Demo(folder, {}, settings, pairs, log, pd.DataFrame())


def test_the_chain_of_a_real_run_has_the_share_that_its_pair_was_published_with(planted):
    (pair,) = (row for _, row in planted.pairs[planted.pairs["status"] == "active"].iterrows())
    assert (pair["source"], pair["rewrite"]) == ("play feet it", "play beat it")
    solved = solve(read_mined(planted), pair)
    # Both wordings of the song are one way to success: 6 users of 0.9 and 4 of 0.8, of 13, at a defect of 0.05.
    assert [end.text for end in solved.ends] == ["play beat it", "play the news"]
    assert [end.C for end in solved.ends] == pytest.approx([0.95 * 8.6 / 13, 0.95 * 0.7 / 13], abs=1e-5)
    assert [s.text for s in solved.said] == ["play beat it", "put on beat it", "play the news"]
    assert [s.step for s in solved.said] == pytest.approx([5.4 / 13, 3.2 / 13, 0.7 / 13], abs=1e-5)
    assert solved.at_once.failing == pytest.approx(3.7 / 13, abs=1e-5)


def test_the_story_prefers_the_rewrites_own_words_and_takes_others_that_were_read_alike(planted):
    from dataclasses import replace

    repaired = {"turn_id": "x", "user_id": "other", "at": planted.log["at"].max(), "state": "play feet it"}
    repaired |= {"layer": "precomputed", "served": "play beat it", "success_as_is": False, "success_as_served": True}
    demo, mined = replace(planted, live=pd.DataFrame([repaired])), read_mined(planted)
    story = choose_story(demo, mined)
    assert (story.failed["turn_id"], story.rephrase["utterance"]) == ("t4a", "play beat it")
    others = mined.steps[mined.steps["rephrase_turn_id"].isin([f"t{k}b" for k in range(4)])]
    story = choose_story(demo, replace(mined, steps=others))
    assert (story.failed["turn_id"], story.rephrase["utterance"]) == ("t0a", "put on beat it")
    news = mined.steps[mined.steps["rephrase_turn_id"] == "t10b"]
    assert len(news) == 1
    with pytest.raises(RewriterError, match="no story to draw"):
        choose_story(demo, replace(mined, steps=news))


def test_without_a_demo_one_line_says_what_to_run(tmp_path):
    command = [sys.executable, "-m", "examples.pictures", "--demo", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the demo has not run to its end")
    assert done.stderr.count("\n") == 1
    assert "make demo" in done.stderr
    assert not (tmp_path / "out").exists()
