"""What an import sets aside, row by row, and what it refuses as a whole."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewriter.errors import RewriterError
from rewriter.ingest.pseudonym import ENVIRONMENT
from tests.jobs.imported import KEY, ROW, jsonl, quarantine, run, snapshot, turns


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, KEY)


def test_broken_rows_are_set_aside_whole_with_every_reason(tmp_path, capsys):
    bad = ROW | {"turn_id": "x", "at": "soon", "utterance": "", "barge_in": "maybe"}
    src = jsonl(tmp_path / "log.jsonl", ROW, "{broken", "", bad, "[1]", {"turn_id": "y"})
    assert run("jsonl", src, tmp_path / "out") == {"read": 5, "added": 1, "duplicates": 0, "quarantined": 4}
    rows = {row["row"]: row for row in quarantine(tmp_path / "out")}
    assert sorted(rows) == [2, 4, 5, 6]
    assert rows[2]["raw"] == "{broken"
    assert rows[2]["reasons"][0].startswith("broken JSON")
    assert rows[4]["reasons"] == [
        "'at' is not a time: 'soon'",
        "'utterance' is empty",
        "'barge_in' is not true or false: 'maybe'",
    ]
    assert json.loads(rows[4]["raw"])["at"] == "soon"
    assert rows[6]["reasons"] == [f"'{c}' is missing" for c in ("user_id", "at", "locale", "utterance")]
    assert {r["source"] for r in rows.values()} == {"log.jsonl"}
    assert "4 quarantined" in capsys.readouterr().out


def test_a_megabyte_of_utterance_is_set_aside(tmp_path):
    src = jsonl(tmp_path / "log.jsonl", ROW, ROW | {"turn_id": "big", "utterance": "x" * 2**20})
    run("jsonl", src, tmp_path / "out")
    assert quarantine(tmp_path / "out")[0]["reasons"] == ["'utterance' has 1,048,576 characters, at most 2,000 are read"]


def test_one_row_that_is_too_early_too_deep_or_not_text_does_not_stop_the_others(tmp_path):
    rows = [
        ROW | {"turn_id": "early", "at": "0001-01-01T00:00:00+14:00"},
        ROW | {"turn_id": "deep", "slots": "[" * 100_000},
        ROW | {"turn_id": "half", "slots": r'{"a": "\ud800"}'},
    ]
    deep = json.dumps(ROW)[:-1] + ', "turn_id": "inner", "slots": {"a": ' + "[" * 1000 + "]" * 1000 + "}}"
    src = jsonl(tmp_path / "log.jsonl", *rows, deep, ROW)
    assert run("jsonl", src, tmp_path / "out")["added"] == 1
    assert [r["reasons"] for r in quarantine(tmp_path / "out")] == [
        ["'at' is out of range"],
        ["'slots' is nested too deeply"],
        ["'slots' holds half a character (a lone surrogate)"],
        ["'slots' is nested too deeply"],
    ]


def test_csv_rows_of_the_wrong_width_or_encoding_are_set_aside(tmp_path):
    src = tmp_path / "log.csv"
    good = ",".join(ROW.values())
    src.write_bytes(
        f"{','.join(ROW)}\n{good}\na,b\n".encode() + good.encode().replace(b"t1", b"t2").replace(b"jazz", b"caf\xe9")
    )
    run("csv", src, tmp_path / "out")
    got = [(r["row"], r["reasons"]) for r in quarantine(tmp_path / "out")]
    assert got == [(2, ["2 fields, the header has 5"]), (3, ["not UTF-8"])]


def test_an_id_that_means_two_turns_keeps_the_first_and_sets_the_other_aside(tmp_path):
    same_day, next_day = ROW | {"utterance": "play rock"}, ROW | {"at": "2026-01-02T10:00:00Z"}
    src = jsonl(tmp_path / "a.jsonl", ROW, ROW, same_day, next_day)
    assert run("jsonl", src, tmp_path / "out") == {"read": 4, "added": 1, "duplicates": 1, "quarantined": 2}
    run("jsonl", jsonl(tmp_path / "b.jsonl", next_day), tmp_path / "out")
    assert turns(tmp_path / "out")["t1"]["utterance"] == "play jazz"
    assert len(turns(tmp_path / "out")) == 1
    rows = quarantine(tmp_path / "out")
    assert sorted((r["source"], r["row"]) for r in rows) == [("a.jsonl", 3), ("a.jsonl", 4), ("b.jsonl", 1)]
    assert all("duplicated turn_id 't1' with different content" in r["reasons"] for r in rows)


def _bad_parquet(path, **columns):
    pq.write_table(pa.table({"turn_id": ["a"], "user_id": ["u"], "locale": ["en-US"], "utterance": ["x"], **columns}), path)
    return path


def test_a_parquet_file_of_wrong_types_is_refused_with_all_faults_at_once(tmp_path):
    src = _bad_parquet(tmp_path / "a.parquet", at=["2026-01-01"], barge_in=["yes"], turn_index=[0.5])
    with pytest.raises(RewriterError) as error:
        run("parquet", src, tmp_path / "out")
    for fault in ("at is string, expected timestamp[us, UTC]", "barge_in is string", "turn_index is double"):
        assert fault in str(error.value)
    assert not (tmp_path / "out").exists()


def test_near_types_of_parquet_are_taken(tmp_path):
    at = pa.array([1767261600000]).cast(pa.timestamp("ms"))
    src = _bad_parquet(tmp_path / "a.parquet", at=at, turn_index=[3], asr_confidence=pa.array([0.5], pa.float64()))
    run("parquet", src, tmp_path / "out")
    (got,) = turns(tmp_path / "out").values()
    assert (got["turn_index"], got["asr_confidence"], got["at"].hour) == (3, 0.5, 10)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", "turn_id,locale\n1,en-US\n", r"missing 'user_id' \(string\); missing 'at' .*; missing 'utterance'"),
        ("log.csv", "at,at,user_id,locale,utterance\n", "column 'at' appears 2 times"),
        ("log.csv", "", "the log is empty"),
        ("log.csv", ",".join(ROW) + "\n", "the log is empty"),
        ("log.jsonl", "", "the log is empty"),
        ("log.jsonl", "\n \n", "the log is empty"),
        ("log.jsonl", "{broken\n", "none of 1 rows can be used; row 1: broken JSON"),
        ("log.jsonl", '{"utterance": "x"}\n', "row 1: 'user_id' is missing; 'at' is missing; 'locale' is missing"),
        ("log.parquet", "not parquet", "not a readable Parquet file"),
    ],
)
def test_a_log_that_cannot_be_used_is_one_line_and_changes_nothing(tmp_path, name, content, message):
    out = tmp_path / "out"
    run("jsonl", jsonl(tmp_path / "good.jsonl", ROW), out)
    before = snapshot(out)
    (tmp_path / name).write_text(content)
    with pytest.raises(RewriterError, match=message) as error:
        run(name.split(".")[1], tmp_path / name, out)
    assert "\n" not in str(error.value)
    assert snapshot(out) == before


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(RewriterError, match="no such file or folder"):
        run("jsonl", tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RewriterError, match="no csv files below"):
        run("csv", tmp_path / "empty", tmp_path / "out")


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.csv.gz"])
@pytest.mark.parametrize("content", [b"no gzip file", gzip.compress(b"user_id,at,locale,utterance\n" * 1000)[:-12]])
def test_a_damaged_gzip_file_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RewriterError, match=f"{name}: not a whole gzip file"):
        run(name.split(".")[1], tmp_path / name, tmp_path / "out")


def test_a_short_id_is_hidden_without_harm_to_the_rest_of_the_row(tmp_path):
    run("jsonl", jsonl(tmp_path / "log.jsonl", ROW, ROW | {"user_id": "a", "at": "soon"}), tmp_path / "out")
    kept = json.loads(quarantine(tmp_path / "out")[0]["raw"])
    assert kept.keys() == ROW.keys()
    assert kept | {"user_id": "a"} == ROW | {"user_id": "a", "at": "soon"}
    assert kept["user_id"] != "a"
