"""What was decided and what users said of it: on disk, once, and never in the way of an answer."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

import serving.decision_writer
from rewriter.decision_log import file_of, read_decisions
from rewriter.errors import RewriterError
from schemas.table import conform
from schemas.tables import DECISIONS
from serving.decision_writer import DecisionWriter
from serving.feedback import FeedbackLog

ROOT = Path(__file__).parents[2]


def decision(request_id, **over):
    base = dict.fromkeys(DECISIONS.schema.names) | {"request_id": request_id, "at": datetime(2026, 3, 1, 23, 30, tzinfo=UTC)}
    return base | {"locale": "en-US", "utterance": "u", "source": "none", "reason": "r", "total_ms": 0.5} | over


def write(folder, *decisions):
    writer = DecisionWriter(folder)
    writer.start()
    for row in decisions:
        writer.put(row)
    writer.close()
    return writer


def test_every_answer_is_logged_as_the_contract_says(bundles, live):
    with live(bundles) as client:
        at = "2026-01-05T23:30:00-02:00"
        calls = [{"utterance": f"hello {n}", "request_id": f"r{n}", "user_id": "u", "at": at} for n in range(50)]
        for call in calls:
            client.post("/v1/rewrite", json=call)
        client.post("/v1/rewrite:batch", json={"requests": [{"utterance": "play beet it", "request_id": "b", "at": at}]})
    table = read_decisions(bundles.parent / "decisions")
    conform(DECISIONS, table)
    rows = {row["request_id"]: row for row in table.to_pylist()}
    assert rows.keys() == {f"r{n}" for n in range(50)} | {"b"}
    assert rows["r7"]["utterance"] == "hello 7"
    assert rows["r7"]["at"] == datetime(2026, 1, 6, 1, 30, tzinfo=UTC)
    assert (rows["b"]["rewrite"], rows["b"]["source"], rows["b"]["arm"], rows["b"]["propensity"]) == (
        "play beat it",
        "precomputed",
        "treatment",
        1.0,
    )
    assert [p.name for p in (bundles.parent / "decisions").glob("day=*")] == ["day=2026-01-06"]


def test_decisions_lie_by_their_utc_day(tmp_path):
    write(tmp_path, decision("a"), decision("b", at=datetime(2026, 3, 2, 0, 1, tzinfo=UTC)))
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.jsonl")) == [
        "day=2026-03-01/decisions-23.jsonl",
        "day=2026-03-02/decisions-00.jsonl",
    ]


def test_a_repeated_request_counts_once_with_its_last_answer(tmp_path):
    write(tmp_path, decision("a", reason="first"), decision("a", reason="second"))
    assert read_decisions(tmp_path)["reason"].to_pylist() == ["second"]


def test_a_line_torn_by_a_crash_is_left_out_and_spoils_no_other(tmp_path):
    write(tmp_path, decision("a"))
    path = tmp_path / file_of(decision("a")["at"])
    with path.open("ab") as file:
        file.write(b'{"request_id": "torn", "at": "2026-03-')
    write(tmp_path, decision("b"))
    assert read_decisions(tmp_path)["request_id"].to_pylist() == ["a", "b"]


def test_a_full_queue_drops_and_counts_instead_of_waiting(tmp_path):
    writer = DecisionWriter(tmp_path, room=2)
    for n in range(5):
        writer.put(decision(f"r{n}"))
    assert writer.dropped == 3
    writer.start()
    writer.close()
    assert read_decisions(tmp_path)["request_id"].to_pylist() == ["r0", "r1"]


def test_a_decision_that_cannot_be_written_is_counted_and_the_rest_is_kept(tmp_path):
    writer = write(tmp_path, decision("a"), decision("bad", reason=object()), decision("b"))
    assert writer.dropped == 1
    assert read_decisions(tmp_path)["request_id"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize("room", [1, 100])
def test_a_disk_that_does_not_answer_does_not_keep_the_log_from_closing(room, tmp_path, monkeypatch, caplog):
    started, release = threading.Event(), threading.Event()
    monkeypatch.setattr(serving.decision_writer, "_append", lambda path, data: started.set() or release.wait(60))
    writer = DecisionWriter(tmp_path, room)
    writer.start()
    writer.put(decision("a"))
    assert started.wait(20)
    writer.put(decision("b"))
    writer.close(0.05)
    assert "the disk did not answer within 0.05 s" in caplog.text
    release.set()


def test_no_log_is_one_clear_error(tmp_path):
    with pytest.raises(RewriterError, match="no decision log"):
        read_decisions(tmp_path / "nowhere")


EVENT = {"event_id": "e1", "request_id": "r1", "feedback": "negative"}


def test_feedback_is_kept_once_also_after_a_restart(bundles, live):
    path = bundles.parent / "decisions" / "feedback.jsonl"
    with live(bundles) as client:
        assert client.post("/v1/feedback", json=EVENT).json() == {"event_id": "e1", "status": "recorded"}
        assert client.post("/v1/feedback", json=EVENT | {"feedback": "positive"}).json() == {
            "event_id": "e1",
            "status": "known",
        }
        assert 'rewriter_feedback_total{feedback="negative"} 1.0' in client.get("/metrics").text
    with live(bundles) as client:
        assert client.post("/v1/feedback", json=EVENT).json()["status"] == "known"
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    assert '"feedback": "negative"' in lines[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"feedback": "meh"}, "feedback"),
        ({"request_id": 3}, "request_id"),
    ],
)
def test_malformed_feedback_names_its_field_and_is_not_kept(change, field, bundles, live):
    with live(bundles) as client:
        answer = client.post("/v1/feedback", json=EVENT | change)
        assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, field)
    assert not (bundles.parent / "decisions" / "feedback.jsonl").exists()


SERVER = """
import sys
from pathlib import Path
from serving.feedback import FeedbackLog
log = FeedbackLog(Path(sys.argv[1]))
mine = [f"{sys.argv[2]}-{n}" for n in range(60)] + [f"both-{n}" for n in range(60)]
print(sum(log.record({"event_id": name, "request_id": "r", "feedback": "negative"}) for name in mine))
"""


def test_servers_that_share_a_log_lose_no_event_and_keep_each_once(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'{"event_id": "old"}\n{"event_id": "torn')
    line = [sys.executable, "-c", SERVER, str(path)]
    servers = [subprocess.Popen([*line, name], cwd=ROOT, stdout=subprocess.PIPE, text=True) for name in "abc"]
    new = [int(server.communicate(timeout=60)[0]) for server in servers]
    events = [json.loads(line)["event_id"] for line in path.read_text().splitlines()]
    assert sum(new) == len(events) - 1 == 3 * 60 + 60
    assert len(set(events)) == len(events)


def test_an_event_another_server_kept_since_is_known(tmp_path):
    one, other = FeedbackLog(tmp_path / "f.jsonl"), FeedbackLog(tmp_path / "f.jsonl")
    assert one.record(dict(EVENT))
    assert not other.record(dict(EVENT))
    assert other.record(EVENT | {"event_id": "e2"})
    assert not one.record(EVENT | {"event_id": "e2"})


def test_a_damaged_line_costs_no_other_event_and_is_counted(tmp_path, caplog):
    path = tmp_path / "f.jsonl"
    damaged = [b"{", b"\xff", b"[]", b"5", b"{}", b"[" * 100_000]
    path.write_bytes(b"\n".join([b'{"event_id": "e0"}', *damaged, b'{"event_id": "e1"}', b""]))
    log = FeedbackLog(path)
    assert log.damaged == len(damaged)
    assert not log.record(dict(EVENT))
    with path.open("ab") as file:
        file.write(b'{"event_id"\n{"event_id": "e2"}\n')
    assert log.record(EVENT | {"event_id": "e3"})
    assert not log.record(EVENT | {"event_id": "e2"})
    assert log.damaged == len(damaged) + 1
    assert f"feedback log {path}: 6 lines after byte 0 are no events" in caplog.text


def test_a_damaged_line_of_feedback_does_not_stop_the_service(bundles, live):
    path = bundles.parent / "decisions" / "feedback.jsonl"
    path.parent.mkdir()
    path.write_text("{damaged\n")
    with live(bundles) as client:
        assert client.post("/v1/feedback", json=EVENT).json()["status"] == "recorded"
        assert "rewriter_feedback_damaged 1.0" in client.get("/metrics").text


def test_one_event_sent_by_many_at_once_is_kept_once(tmp_path):
    log, new = FeedbackLog(tmp_path / "f.jsonl"), []
    threads = [threading.Thread(target=lambda: new.append(log.record(dict(EVENT)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * 7 + [True]
    assert len((tmp_path / "f.jsonl").read_text().splitlines()) == 1
