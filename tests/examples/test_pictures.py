"""The README's pictures: the chain as Spark counts it, numbers of a worked example, nothing drawn without a demo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def examples_on_path():
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


def empty_demo():
    from picture_facts import Demo

    from rewriter.settings import Settings

    nothing = pd.DataFrame()
    return Demo(Path(), {}, Settings(), nothing, nothing, nothing)


WORKED = {"a": ("b30 c40", 5, 25), "b": ("c20 a2", 10, 18), "c": ("b5", 180, 15)}


def worked_visits() -> pd.DataFrame:
    """One visit a count of the worked example: a>b30 a>c40 a>S5 a>F25; b>c20 b>a2 b>S10 b>F18; c>S180 c>F15 c>b5."""
    rows = []
    for state, (steps, success, failure) in WORKED.items():
        rows += [(state, step[0], 1.0, 0.0) for step in steps.split() for _ in range(int(step[1:]))]
        rows += [(state, None, 0.0, 0.0)] * success + [(state, None, 0.0, 1.0)] * failure
    visits = pd.DataFrame(rows, columns=["state", "target", "weight", "defect"])
    return visits.assign(locale="en-US", scale=1.0)


def worked_pair(share: float) -> pd.Series:
    return pd.Series({"locale": "en-US", "source": "a", "rewrite": "c", "share": share})


def test_the_worked_example_is_solved_as_published():
    from picture_facts import solve

    solved = solve(empty_demo(), worked_visits(), worked_pair(0.4787 / 0.5928))
    c, b = solved.successors
    assert (c.text, b.text) == ("c", "b")
    np.testing.assert_allclose([solved.source.passing, b.passing, c.passing], [0.0506, 0.0634, 0.4787], atol=5e-5)
    np.testing.assert_allclose([b.step, c.step, solved.success], [0.30, 0.40, 0.5928], atol=5e-5)
    total = solved.success + solved.source.failing + b.failing + c.failing
    assert total == pytest.approx(1.0, abs=1e-6)


def test_a_pair_of_another_run_is_refused():
    from picture_facts import solve

    from rewriter.errors import RewriterError

    with pytest.raises(RewriterError, match=r"0\.8076.*0\.5000"):
        solve(empty_demo(), worked_visits(), worked_pair(0.5))


def test_the_chain_picture_shows_its_numbers_inside_its_frame():
    from picture_chain import chain_picture
    from picture_facts import solve

    svg = chain_picture(solve(empty_demo(), worked_visits(), worked_pair(0.4787 / 0.5928)))
    root = ElementTree.fromstring(svg)
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    assert {"C 0.479", "C 0.063", "C 0.051 if it stays", "30.0%", "40.0%", "59.3%"} <= {t.text for t in texts}
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(0 < float(t.get("x")) < width and 0 < float(t.get("y")) < height for t in texts)


def small_log(rng: np.random.Generator) -> pd.DataFrame:
    n = 300
    return pd.DataFrame(
        {
            "turn_id": [f"t{k:03d}" for k in range(n)],
            "user_id": [f"u{k // 15}" for k in range(n)],
            "session_id": [f"s{k // 5}" for k in range(n)],
            "at": pd.to_datetime(1_772_409_600 + np.arange(n) * 900, unit="s", utc=True).astype("datetime64[us, UTC]"),
            "locale": "en-US",
            "utterance": rng.choice(["Play Feet it", "play beat it", "stop the song", "what now"], n),
            "defect": np.round(rng.random(n), 3),
            "rephrase_turn_id": [f"t{k + 1:03d}" if k % 5 < 4 and rng.random() < 0.6 else None for k in range(n)],
            "probability": np.round(rng.random(n), 3),
        }
    )


def test_the_chain_is_counted_as_spark_counts_it(spark, tmp_path):
    from dataclasses import replace

    from picture_facts import counts_of_visits, visits_of

    from jobs import mine_rewrites, rephrase_counts
    from rewriter.markov.states import state_number
    from rewriter.markov.visits import UNIT
    from rewriter.settings import Mine, Settings
    from rewriter.text import normalise

    settings = Settings(mine=Mine(half_life_days=2.0, user_cap=1.5))
    log = small_log(np.random.default_rng(3))
    for name, columns in (("defects", ["defect"]), ("rephrases", ["rephrase_turn_id", "probability"])):
        folder = tmp_path / "warehouse/tables" / name
        folder.mkdir(parents=True)
        log[["turn_id", *columns]].to_parquet(folder / "part-0.parquet")
    (tmp_path / "warehouse/models/rephrase").mkdir(parents=True)
    (tmp_path / "warehouse/models/rephrase/decision.json").write_text(json.dumps({"threshold": 0.4}))
    words = log.drop(columns=["defect", "rephrase_turn_id", "probability"])
    turns = words.assign(state=log["utterance"].map(normalise), response_status="ok", barge_in=False)
    counts, names = counts_of_visits(visits_of(replace(empty_demo(), folder=tmp_path, settings=settings, log=turns)))

    day = log["at"].dt.strftime("%Y-%m-%d")
    nothing = ("domain", "intent", "response_status", "feedback", "asr_confidence", "nlu_confidence", "barge_in")
    empty = [f"cast(null as string) {name}" for name in nothing]
    rewrite = "cast(null as struct<served: string, arm: string>) rewrite"
    frame = spark.createDataFrame(words.assign(day=day)).selectExpr("*", "0 turn_index", *empty, rewrite)
    links = mine_rewrites.rephrase_links(spark.createDataFrame(log[["turn_id", "rephrase_turn_id", "probability"]]), 0.4)
    defects = spark.createDataFrame(log[["turn_id", "defect"]])
    evidence = rephrase_counts.Evidence(frame, defects, links, "m", tuple(sorted(set(day))), False)
    summed = rephrase_counts.summed(rephrase_counts.tallies(evidence, settings), len(evidence.days))
    edges = rephrase_counts.transition_counts(summed).collect()
    moved = {(r.source, r.target): r.weight / UNIT for r in edges}
    ended = {r.state: (r.success / UNIT, r.failure / UNIT) for r in rephrase_counts.state_counts(summed).collect()}

    number = [state_number("en-US", name) for name in names]
    found = zip(counts.source.tolist(), counts.target.tolist(), counts.weight.tolist(), strict=True)
    assert {(number[i], number[j]): w for i, j, w in found} == pytest.approx(moved, abs=1e-4)
    assert len(moved) == 12
    for k, state in enumerate(number):
        assert (counts.success[k], counts.failure[k]) == pytest.approx(ended[state], abs=1e-4)


def test_without_a_demo_one_line_says_what_to_run(tmp_path):
    command = [sys.executable, str(EXAMPLES / "pictures.py"), "--demo", str(tmp_path), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the demo has not run to its end")
    assert done.stderr.count("\n") == 1
    assert "make demo" in done.stderr
    assert not (tmp_path / "out").exists()
