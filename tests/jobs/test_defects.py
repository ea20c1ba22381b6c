import datetime as dt
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import label_defects, train_defects
from jobs.defect_evidence import evidence, evidence_of, with_wording
from jobs.dialogue import neighbours, with_sessions
from jobs.storage import read_table
from rewriter.defects.meaning import load_meaning
from rewriter.defects.rules import BASE
from rewriter.errors import RewriterError
from rewriter.settings import Defects, Settings
from schemas.table import conform
from schemas.tables import DEFECTS, TURNS

START = dt.datetime(2026, 3, 1, 23, 59, 30, tzinfo=dt.UTC)


def turn(name, seconds, text="play jazz", **more):
    row = dict.fromkeys(TURNS.schema.names) | {"turn_id": name, "user_id": "u", "locale": "en-US", "utterance": text}
    return row | {"at": START + dt.timedelta(seconds=seconds)} | more


def log(path, rows):
    pq.write_table(pa.Table.from_pylist(rows, schema=TURNS.schema), path)
    return path


def labelled(out):
    rows = [r for f in sorted(out.rglob("*.parquet")) for r in conform(DEFECTS, pq.ParquetFile(f).read()).to_pylist()]
    return {row["turn_id"]: row for row in rows}


def test_sessions_come_from_gaps_where_the_log_has_none(spark, tmp_path):
    rows = [turn("a", 0), turn("b", 40), turn("c", 90), turn("d", 90, session_id="s"), turn("e", 100, user_id="v")]
    frame = with_sessions(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), max_gap_s=45.0)
    sessions = {r["turn_id"]: r["session_id"] for r in frame.collect()}
    assert sessions["a"] == sessions["b"]
    assert len({sessions[t] for t in "acde"}) == 4
    assert sessions["d"] == "s"


def test_neighbours_keep_to_the_session_and_to_the_order_of_turns(spark, tmp_path):
    rows = [
        turn(
            "late",
            5,
            "second",
            session_id="s",
            turn_index=1,
            response_status="error",
            slots={"b": "2", "a": "1"},
            intent="x",
        ),
        turn(
            "early",
            5,
            "first",
            session_id="s",
            turn_index=0,
            asr_nbest=[{"text": "p", "score": 0.75}, {"text": "q", "score": 0.5}],
        ),
        turn("third", 12, "Third!", session_id="s", turn_index=2, intent="x", slots={"a": "1", "b": "2"}),
        turn("other", 6, "other", session_id="r", turn_index=0),
    ]
    got = {r["turn_id"]: r for r in neighbours(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), 45.0).collect()}
    first, second, third = (got[t] for t in ("early", "late", "third"))
    assert (first["next_text"], first["next_status"], first["next2_text"], first["next2_gap_s"]) == (
        "second",
        "error",
        "third",
        7.0,
    )
    assert first["nbest_margin"] == 0.25
    assert (second["prev_text"], second["next_gap_s"], second["is_last"]) == ("first", 7.0, False)
    assert third["is_last"]
    assert first["nbest_entropy"] == pytest.approx(-(0.6 * math.log(0.6) + 0.4 * math.log(0.4)))
    assert second["nbest_entropy"] is None
    assert (got["other"]["prev_text"], got["other"]["next_text"]) == (None, None)


def test_an_answer_given_before_in_the_session_is_an_echo(spark, tmp_path):
    said = [
        ("a", "s", "sorry"),
        ("b", "s", "hello"),
        ("c", "s", None),
        ("d", "s", "sorry"),
        ("e", "r", "sorry"),
        ("f", "r", None),
    ]
    rows = [turn(name, i, session_id=session, response=answer) for i, (name, session, answer) in enumerate(said)]
    view = neighbours(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), 45.0)
    echo = {r["turn_id"]: r["is_echo"] for r in view.collect()}
    assert echo == {"a": False, "b": False, "c": None, "d": True, "e": False, "f": None}


def test_rules_label_each_turn_on_the_day_it_happened(spark, tmp_path):
    rows = [
        turn("a", 0, "play jaz", response_status="fallback"),
        turn("b", 10, response_status="ok"),
        turn("c", 3600, "weather"),
    ]
    counts = label_defects.main(["--turns", str(log(tmp_path / "t.parquet", rows)), "--out", str(tmp_path / "out")])
    assert counts == {"turns": 3, "defective": 1, "judged_by": "rules"}
    got = labelled(tmp_path / "out")
    assert got["a"]["signals"] == ["fallback", "quick_repeat"]
    assert got["a"]["defective"]
    assert got["c"]["defect"] == pytest.approx(BASE)
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_dir()} == {"day=2026-03-01", "day=2026-03-02"}


def test_the_threshold_of_the_settings_decides(spark, tmp_path):
    src = log(tmp_path / "t.parquet", [turn("a", 0, response_status="fallback"), turn("b", 9, "what is the weather")])
    (tmp_path / "c.toml").write_text("[defects]\nthreshold = 0.8\n")
    counts = label_defects.main(["--turns", str(src), "--out", str(tmp_path / "out"), "--config", str(tmp_path / "c.toml")])
    assert counts["defective"] == 0
    assert labelled(tmp_path / "out")["a"]["defect"] == pytest.approx(0.75)


def test_a_wording_is_counted_within_its_locale(spark, tmp_path):
    rows = [
        turn("a", 0, "Play jazz!", response_status="error"),
        turn("b", 900, "play jazz"),
        turn("c", 1800, "play jazz", locale="en-GB"),
    ]
    frame = with_wording(evidence(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), Settings()))
    got = {r["turn_id"]: (r["n_same"], r["n_strong"]) for r in frame.collect()}
    assert got == {"a": (2.0, 1.0), "b": (2.0, 1.0), "c": (1.0, 0.0)}


def test_only_the_days_given_count_for_a_wording_and_a_later_turn_for_itself(spark, tmp_path):
    rows = [turn("a", 0), turn("b", 2 * 86400, response_status="error"), turn("c", 2 * 86400 + 600), turn("d", 900, "news")]
    seen = evidence(read_table(spark, log(tmp_path / "t.parquet", rows), TURNS), Settings())
    frame = with_wording(seen, seen.where("day < '2026-03-03'"))
    got = {r["turn_id"]: (r["n_same"], r["n_strong"]) for r in frame.collect()}
    assert got == {"a": (1.0, 0.0), "b": (2.0, 1.0), "c": (2.0, 0.0), "d": (1.0, 0.0)}


def test_a_held_out_day_tells_no_turn_how_its_wording_went(spark, tmp_path):
    rows = [turn("a", 0, response_status="error"), turn("b", 900), turn("c", 2 * 86400), turn("d", 2 * 86400 + 900)]
    worse = [r | ({"response_status": "error"} if r["turn_id"] == "d" else {}) for r in rows]
    for name, said in (("as_is", rows), ("worse", worse)):
        seen = evidence(read_table(spark, log(tmp_path / f"{name}.parquet", said), TURNS), Settings())
        frame = train_defects._with_history(seen, seen, ["2026-03-03", "2026-03-04"])
        got = {r["turn_id"]: (r["n_same"], r["n_strong"]) for r in frame.collect()}
        assert got == {"a": (2.0, 1.0), "b": (2.0, 1.0), "c": (3.0, 1.0), "d": (3.0, 1.0 + (name == "worse"))}


def test_later_days_change_no_label_of_the_days_that_teach(spark, planted, tmp_path):
    src, _ = planted
    train_defects.main(["--turns", str(src), "--days", "fit", "--out", str(tmp_path / "m")])
    rows = pq.read_table(src).to_pylist()
    cut = START + dt.timedelta(days=8)
    worse = [r | ({"response_status": "fallback"} if r["at"] > cut else {}) for r in rows]
    labels = []
    for name, log_rows in (("as_is", rows), ("worse", worse)):
        out = tmp_path / name
        arguments = ["--turns", str(log(tmp_path / f"{name}.parquet", log_rows)), "--model", str(tmp_path / "m")]
        label_defects.main([*arguments, "--out", str(out)])
        labels.append(labelled(out))
    fit = {r["turn_id"] for r in rows if r["at"] < START + dt.timedelta(days=7)}
    assert len(fit) > 3000
    assert all(labels[0][t]["defect"] == labels[1][t]["defect"] for t in fit)
    assert any(labels[0][t]["defect"] != labels[1][t]["defect"] for t in labels[0].keys() - fit)


def test_a_sample_of_the_turns_still_knows_its_neighbours(spark, tmp_path):
    rows = [turn(f"t{i:02d}", 5 * i, f"play number {i % 7}", session_id=f"s{i // 10}") for i in range(40)]
    table = read_table(spark, log(tmp_path / "t.parquet", rows), TURNS)
    whole, some = ({r["turn_id"]: r for r in evidence(table, Settings(), share=share).collect()} for share in (1.0, 0.5))
    assert len(whole) == 40
    assert 5 < len(some) < 35
    for name, row in some.items():
        assert row["signals"] == whole[name]["signals"]
        np.testing.assert_array_equal(row["features"], whole[name]["features"])


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Ten days in which two wordings fail half of the time, mostly in silence, and twenty others rarely.

    Some say it again after a failure; half of the others go on with something else.
    """
    rng = np.random.default_rng(0)
    rows, failed = [], {}
    for i in range(6000):
        bad_wording = rng.random() < 0.3
        text = f"plai {('jaz', 'rok')[rng.integers(2)]}" if bad_wording else f"request number {rng.integers(20)}"
        fails = rng.random() < (0.5 if bad_wording else 0.04)
        loud = fails and rng.random() < 0.5
        again = fails and rng.random() < 0.4
        base = {"user_id": f"u{i}", "session_id": f"s{i}", "intent": None if fails and rng.random() < 0.3 else "play"}
        at = (i % 10) * 86400 + i
        rows.append(turn(f"t{i}", at, text, response_status="fallback" if loud else "ok", asr_confidence=0.9, **base))
        failed[f"t{i}"] = bool(fails)
        if again:
            rows.append(turn(f"t{i}b", at + 6, text + "z", response_status="ok", **(base | {"intent": "play"})))
        elif rng.random() < 0.5:
            other = ("good night", "what is the weather", "stop", "call mum")[rng.integers(4)]
            rows.append(turn(f"t{i}b", at + 9, other, response_status="ok", **(base | {"intent": "play"})))
    return log(tmp_path_factory.mktemp("planted") / "t.parquet", rows), failed


def _brier(out, failed):
    got = labelled(out)
    return np.mean([(got[t]["defect"] - f) ** 2 for t, f in failed.items()])


def test_a_trained_model_judges_planted_failures_better_than_the_rules(spark, planted, tmp_path):
    src, failed = planted
    kept = train_defects.main(["--turns", str(src), "--days", "fit", "--out", str(tmp_path / "m")])
    assert kept["kept"] == "agreement"
    assert kept["average_precision_model"] > kept["average_precision_rules"]
    label_defects.main(["--turns", str(src), "--out", str(tmp_path / "rules")])
    label_defects.main(["--turns", str(src), "--model", str(tmp_path / "m"), "--out", str(tmp_path / "model")])
    assert _brier(tmp_path / "model", failed) < _brier(tmp_path / "rules", failed)
    explicit = [r for r in labelled(tmp_path / "model").values() if "fallback" in r["signals"]]
    assert all(r["defective"] for r in explicit)


def test_training_twice_gives_the_same_bytes_and_a_card(spark, planted, tmp_path):
    src, _ = planted
    for name in ("a", "b"):
        train_defects.main(["--turns", str(src), "--out", str(tmp_path / name)])
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert set(files[0]) == {"defects.json", "card.md"}
    assert json.loads(files[0]["defects.json"])["anchor"] == "status"
    assert "| history |" in files[0]["card.md"].decode()
    assert "| mean |" in files[0]["card.md"].decode()


def test_a_log_with_answers_brings_an_encoder_and_spark_says_what_a_plain_call_says(spark, tiny_bert, tmp_path):
    rng = np.random.default_rng(0)
    texts = [f"{verb} {noun}" for verb in ("play", "show", "stop", "call") for noun in ("jazz", "the news", "london", "ten")]
    said = rng.integers(16, size=400)
    answered = np.where(np.arange(400) % 5 == 0, (said + rng.integers(1, 16, 400)) % 16, said)
    rows = [
        turn(f"t{i}", i // 80 * 86400 + 60 * (i % 80), texts[q], session_id=f"s{i // 8}", response=texts[a])
        for i, (q, a) in enumerate(zip(said, answered, strict=True))
    ]
    src, config = log(tmp_path / "t.parquet", rows), tmp_path / "c.toml"
    config.write_text(f'[train]\nencoder = "{tiny_bert}"\n')
    train_defects.main(["--turns", str(src), "--out", str(tmp_path / "m"), "--config", str(config)])
    assert {p.name for p in (tmp_path / "m").iterdir()} == {"defects.json", "card.md", "answers.npy", "encoder"}
    assert json.loads((tmp_path / "m" / "defects.json").read_text())["anchor"] == "answer"
    found = {}
    for variant in ("offline", "runtime"):
        out = tmp_path / variant
        label_defects.main(["--turns", str(src), "--model", str(tmp_path / "m"), "--variant", variant, "--out", str(out)])
        found[variant] = {t: row["defect"] for t, row in labelled(out).items()}
    swapped = [found["offline"][f"t{i}"] for i in range(400) if i % 5 == 0]
    fitting = [found["offline"][f"t{i}"] for i in range(400) if i % 5]
    assert np.mean(swapped) > 3 * np.mean(fitting)
    assert found["runtime"] != found["offline"]
    table = read_table(spark, src, TURNS)
    view = neighbours(table, 45.0).toArrow().combine_chunks().to_batches()[0]
    plain = pa.Table.from_batches([evidence_of(view, Defects(), has_intents=False, meaning=load_meaning(tmp_path / "m"))])
    there, here = (rows.sort_by("turn_id") for rows in (evidence(table, Settings(), tmp_path / "m").toArrow(), plain))
    assert there.drop_columns("features").equals(here.drop_columns("features"))
    np.testing.assert_array_equal(*(rows["features"].combine_chunks().flatten() for rows in (there, here)))


def test_a_model_that_gave_way_to_the_rules_leaves_no_encoder(spark, tiny_bert, tmp_path):
    rows = [turn(f"t{i}", 3600 * i, response=f"answer {i}") for i in range(60)]
    src, config = log(tmp_path / "t.parquet", rows), tmp_path / "c.toml"
    config.write_text(f'[train]\nencoder = "{tiny_bert}"\n')
    kept = train_defects.main(["--turns", str(src), "--out", str(tmp_path / "m"), "--config", str(config)])
    assert kept["kept"] == "rules"
    assert {p.name for p in (tmp_path / "m").iterdir()} == {"defects.json", "card.md"}


def test_a_log_without_an_anchor_keeps_the_rules(spark, tmp_path):
    src = log(tmp_path / "t.parquet", [turn(f"t{i}", i * 86400) for i in range(5)])
    assert train_defects.main(["--turns", str(src), "--out", str(tmp_path / "m")])["kept"] == "rules"
    counts = label_defects.main(["--turns", str(src), "--model", str(tmp_path / "m"), "--out", str(tmp_path / "d")])
    assert counts == {"turns": 5, "defective": 0, "judged_by": "rules"}


def test_a_missing_model_or_log_is_one_line(spark, tmp_path):
    src = log(tmp_path / "t.parquet", [turn("a", 0)])
    with pytest.raises(RewriterError, match=r"defects\.json: cannot be read"):
        label_defects.main(["--turns", str(src), "--model", str(tmp_path / "absent"), "--out", str(tmp_path / "d")])
    with pytest.raises(RewriterError, match="no such file"):
        label_defects.main(["--turns", str(tmp_path / "absent"), "--out", str(tmp_path / "d")])
    with pytest.raises(RewriterError, match="the log is empty"):
        train_defects.main(["--turns", str(log(tmp_path / "e.parquet", [])), "--out", str(tmp_path / "m")])
    assert not (tmp_path / "d").exists()
