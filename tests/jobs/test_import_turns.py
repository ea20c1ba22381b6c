import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewriter.errors import RewriterError
from rewriter.ingest import readers
from rewriter.ingest.pseudonym import ENVIRONMENT, pseudonym
from rewriter.ingest.store import alone
from tests.jobs.imported import KEY, RICH, ROW, as_file, jsonl, quarantine, run, snapshot, turns


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, KEY)


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
