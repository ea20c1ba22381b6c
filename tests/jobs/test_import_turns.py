import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.import_turns import main
from rewriter.errors import RewriterError
from rewriter.ingest import readers
from rewriter.ingest.pseudonym import ENVIRONMENT, pseudonym
from rewriter.ingest.store import alone
from schemas.table import conform
from schemas.tables import QUARANTINE, TURNS

KEY = "0123456789abcdef"
ROW = {"turn_id": "t1", "user_id": "ann", "at": "2026-01-01T10:00:00Z", "locale": "en-US", "utterance": "play jazz"}


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, KEY)


def jsonl(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def turns(out):
    files = sorted((out / "turns").glob("day=*/*.parquet"))
    rows = [row for f in files for row in conform(TURNS, pq.ParquetFile(f).read()).to_pylist()]
    return {row["turn_id"]: row for row in rows}


def quarantine(out):
    files = sorted((out / "quarantine").glob("*.parquet"))
    return [row for f in files for row in conform(QUARANTINE, pq.ParquetFile(f).read()).to_pylist()]


def snapshot(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run(fmt, src, out, *more):
    return main([fmt, str(src), "--out", str(out), *more])


RICH = {
    "slots": {"genre": "jazz"},
    "asr_nbest": [{"text": "play jazz", "score": 0.5}],
    "barge_in": True,
    "turn_index": 3,
    "asr_confidence": 0.5,
    "response_status": "ok",
}


def as_file(fmt, path, rows):
    if fmt == "jsonl":
        return jsonl(path, *rows)
    if fmt == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            for row in rows:
                writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
        return path
    table = pa.Table.from_pylist(
        [r | {"slots": list(r["slots"].items()), "at": None} for r in rows],
        schema=pa.schema([TURNS.schema.field(n).with_nullable(True) for n in rows[0]]),
    )
    at = pa.array([r["at"].replace("Z", "+00:00") for r in rows]).cast(pa.timestamp("us", tz="UTC"))
    pq.write_table(table.set_column(table.column_names.index("at"), "at", at), path)
    return path


@pytest.mark.parametrize("fmt", readers.FORMATS)
def test_every_format_gives_the_same_turns(tmp_path, fmt):
    rows = [ROW | RICH, ROW | RICH | {"turn_id": "t2", "utterance": 'stop, "now"\nplease', "at": "2026-01-02T00:00:00Z"}]
    counts = run(fmt, as_file(fmt, tmp_path / f"log.{fmt}", rows), tmp_path / "out")
    assert counts == {"read": 2, "added": 2, "duplicates": 0, "quarantined": 0}
    got = turns(tmp_path / "out")
    assert got["t2"]["utterance"] == 'stop, "now"\nplease'
    assert got["t2"]["at"].isoformat() == "2026-01-02T00:00:00+00:00"
    assert {k: got["t1"][k] for k in ("slots", "barge_in", "turn_index", "asr_confidence", "response_status")} == {
        "slots": [("genre", "jazz")], "barge_in": True, "turn_index": 3, "asr_confidence": 0.5, "response_status": "ok"
    }  # fmt: skip
    assert got["t1"]["asr_nbest"] == [{"text": "play jazz", "score": 0.5}]
    assert sorted(p.name for p in (tmp_path / "out/turns").iterdir()) == ["day=2026-01-01", "day=2026-01-02"]


@pytest.mark.parametrize("fmt", readers.FORMATS)
def test_importing_the_same_file_again_changes_no_byte(tmp_path, fmt):
    src = as_file(fmt, tmp_path / f"log.{fmt}", [ROW | RICH, ROW | RICH | {"turn_id": "bad", "utterance": " "}])
    run(fmt, src, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    assert run(fmt, src, tmp_path / "out") == {"read": 2, "added": 0, "duplicates": 1, "quarantined": 1}
    assert snapshot(tmp_path / "out") == before


def test_another_file_adds_its_turns_in_whatever_order_they_come(tmp_path):
    rows = [ROW | {"turn_id": f"t{i}", "at": f"2026-01-0{1 + i % 2}T10:00:0{i}Z"} for i in range(6)]
    first, second = jsonl(tmp_path / "a.jsonl", *rows[:4]), jsonl(tmp_path / "b.jsonl", *rows[2:])
    for out, order in (("x", (first, second)), ("y", (second, first))):
        for src in order:
            run("jsonl", src, tmp_path / out)
    assert len(turns(tmp_path / "x")) == 6
    assert snapshot(tmp_path / "x") == snapshot(tmp_path / "y")


def test_chunks_do_not_show(tmp_path, monkeypatch):
    rows = [ROW | {"turn_id": f"t{i}"} for i in range(10)] + ["{broken", ROW | {"turn_id": "t3"}]
    src = jsonl(tmp_path / "a.jsonl", *rows)
    run("jsonl", src, tmp_path / "whole")
    monkeypatch.setattr(readers, "CHUNK_ROWS", 3)
    run("jsonl", src, tmp_path / "pieces")
    assert turns(tmp_path / "whole") == turns(tmp_path / "pieces")
    assert quarantine(tmp_path / "whole") == quarantine(tmp_path / "pieces")


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


def test_a_day_left_in_two_files_by_a_kill_is_mended_by_the_next_import(tmp_path):
    out, day = tmp_path / "out", tmp_path / "out/turns/day=2026-01-01"
    run("jsonl", jsonl(tmp_path / "a.jsonl", ROW), out)
    before = snapshot(out)
    (day / "part-0.parquet").write_bytes((day / "turns.parquet").read_bytes())
    other_day = ROW | {"turn_id": "t2", "at": "2026-01-02T10:00:00Z"}
    assert run("jsonl", jsonl(tmp_path / "b.jsonl", other_day), out)["added"] == 1
    assert before.items() <= snapshot(out).items()
    assert [p.name for p in day.iterdir()] == ["turns.parquet"]
    pq.write_table(pa.concat_tables([pq.ParquetFile(day / "turns.parquet").read()] * 2), day / "turns.parquet")
    assert run("jsonl", tmp_path / "a.jsonl", out) == {"read": 1, "added": 0, "duplicates": 1, "quarantined": 0}
    assert before.items() <= snapshot(out).items()


def test_a_second_import_into_the_same_folder_is_refused_and_leaves_the_first_alone(tmp_path):
    out, src = tmp_path / "out", jsonl(tmp_path / "a.jsonl", ROW)
    with alone(out):
        (out / ".importing").mkdir()
        with pytest.raises(RewriterError, match="another import is writing there"):
            run("jsonl", src, out)
        assert (out / ".importing").is_dir()
    assert run("jsonl", src, out)["added"] == 1


def test_the_folder_one_stands_in_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT)
    src = jsonl(tmp_path / "a.jsonl", ROW)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run("jsonl", src, ".")["added"] == 1
    assert (tmp_path / "here.key").is_file()


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


def test_turns_without_an_id_get_one_from_their_content(tmp_path):
    row = {k: v for k, v in ROW.items() if k != "turn_id"}
    src = jsonl(tmp_path / "a.jsonl", row, row, row | {"utterance": "stop"})
    assert run("jsonl", src, tmp_path / "out")["added"] == 2
    first = set(turns(tmp_path / "out"))
    run("jsonl", src, tmp_path / "again")
    assert set(turns(tmp_path / "again")) == first


def test_no_user_is_named_anywhere(tmp_path):
    row = ROW | {"user_id": "ann-smith", "session_id": "ann-smith/7", "turn_id": "ann-smith/7/1"}
    run("jsonl", jsonl(tmp_path / "a.jsonl", row, row | {"turn_id": "ann-smith/8", "at": "soon"}), tmp_path / "out")
    assert not any(b"ann-smith" in content for content in snapshot(tmp_path / "out").values())
    name = pseudonym("ann-smith", KEY.encode())
    assert turns(tmp_path / "out")[f"{name}/7/1"]["user_id"] == name


def test_known_pseudonyms_may_be_kept(tmp_path):
    run("jsonl", jsonl(tmp_path / "a.jsonl", ROW), tmp_path / "out", "--keep-users")
    assert turns(tmp_path / "out")["t1"]["user_id"] == "ann"


def test_without_a_key_one_is_made_beside_the_log_and_never_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(ENVIRONMENT)
    run("jsonl", jsonl(tmp_path / "a.jsonl", ROW), tmp_path / "out")
    key = (tmp_path / "out.key").read_text().strip()
    assert key not in capsys.readouterr().out
    assert turns(tmp_path / "out")["t1"]["user_id"] == pseudonym("ann", key.encode())
    assert not any("key" in name for name in snapshot(tmp_path / "out"))


def test_a_mapping_file_reads_a_foreign_log(tmp_path):
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[columns]\nutterance = "q"\nuser_id = "who.id"\nat = {from = "ts", as = "epoch_ms"}\n'
        'response_status = {from = "result", values = {FAILED = "error", DONE = "ok"}}\n'
    )
    row = {"q": "play jazz", "who": {"id": 5}, "ts": 1767261600000, "result": "FAILED", "unknown": 1}
    run(
        "jsonl",
        jsonl(tmp_path / "a.jsonl", row),
        tmp_path / "out",
        "--mapping",
        str(mapping),
        "--locale",
        "de-DE",
        "--keep-users",
    )
    (got,) = turns(tmp_path / "out").values()
    assert (got["user_id"], got["locale"], got["response_status"], got["at"].hour) == ("5", "de-DE", "error", 10)


def test_a_folder_is_read_whole_and_gzip_is_opened(tmp_path):
    jsonl(tmp_path / "log/a.jsonl", ROW)
    with gzip.open(tmp_path / "log/b.jsonl.gz", "wt") as file:
        file.write(json.dumps(ROW | {"turn_id": "t2"}) + "\n{")
    run("jsonl", tmp_path / "log", tmp_path / "out")
    assert set(turns(tmp_path / "out")) == {"t1", "t2"}
    assert quarantine(tmp_path / "out")[0]["source"] == "b.jsonl.gz"


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
