"""The API over a real server: what it answers, and how it says what is wrong."""

import asyncio
from datetime import UTC, datetime

import pytest

import serving.app
from rewriter.bundle.layout import current_version
from rewriter.decision_log import read_decisions
from serving.calls import parse_call


@pytest.fixture(scope="module")
def client(tmp_path_factory, pair, publish_pairs, live):
    folder = tmp_path_factory.mktemp("api") / "bundles"
    publish_pairs(
        folder, pair(), pair(source="spiel beet hofen", rewrite="spiel beethoven", locale="de-DE"), pair(source="x y z")
    )
    with live(folder) as client:
        client.version, client.decisions = current_version(folder), folder.parent / "decisions"
        yield client


def ask(client, **body):
    answer = client.post("/v1/rewrite", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_known_request_is_rewritten_with_its_evidence(client):
    answer = ask(client, utterance="Play BEET it!", user_id="u1", session_id="s1", request_id="r1")
    timings = answer.pop("timings_ms")
    assert answer.pop("reason").startswith("20 users said this and succeeded with 'play beat it'")
    assert len(answer.pop("rewrite_id")) == 16
    assert answer.pop("probability") == pytest.approx(0.72)
    assert answer == {
        "request_id": "r1",
        "utterance": "Play BEET it!",
        "rewrite": "play beat it",
        "source": "precomputed",
        "bundle_version": client.version,
        "experiment": {"name": "rewriting", "arm": "treatment", "propensity": 1.0, "withheld": None},
    }
    assert 0 < timings["decide"] <= timings["total"]


def test_an_unknown_request_is_left_alone_with_a_reason(client):
    answer = ask(client, utterance="what is the weather", locale="en-US")
    assert (answer["rewrite"], answer["source"], answer["probability"]) == (None, "none", None)
    assert "no mined pair" in answer["reason"]
    assert "candidates" not in answer


def test_everything_the_api_knows_and_more_may_be_sent(client):
    answer = ask(
        client,
        utterance="play beet it",
        at="2026-01-05T10:00:00+02:00",
        locale="en_us",
        device="speaker",
        asr_confidence=0.4,
        nbest=[{"text": "play beet it", "score": -1.5}, {"text": "play beat it", "score": None, "tokens": 3}],
        interpretation={
            "domain": "music",
            "intent": "play_song",
            "slots": {"song": "beet it", "n": 1, "x": None},
            "confidence": 0.3,
        },
        context={"screen": "home", "volume": 3},
        previous_turns=[{"turn_id": "t0", "at": "2026-01-05T09:59:50", "utterance": "hello", "barge_in": True, "more": []}]
        * 40,
        deadline_ms=900,
        nonsense={"a": 1},
    )
    assert answer["rewrite"] == "play beat it"


def test_null_is_as_good_as_absent(client):
    names = ("user_id", "session_id", "at", "locale", "device", "asr_confidence", "nbest", "interpretation", "context")
    nothing = dict.fromkeys((*names, "previous_turns", "request_id", "deadline_ms", "explain"))
    assert ask(client, utterance="play beet it", **nothing)["rewrite"] == "play beat it"


def test_candidates_are_listed_on_request(client):
    answer = ask(client, utterance="play beet it", explain=True)
    assert [(c["rewrite"], c["layers"], c["refused"]) for c in answer["candidates"]] == [
        ("play beat it", ["precomputed"], "")
    ]
    assert answer["candidates"][0]["pair"]["support_users"] == 20


def test_each_locale_has_its_own_pairs_and_the_largest_is_the_default(client):
    assert ask(client, utterance="spiel beet hofen", locale="de-de")["rewrite"] == "spiel beethoven"
    assert ask(client, utterance="spiel beet hofen")["rewrite"] is None
    assert ask(client, utterance="play beet it", locale="de-DE")["rewrite"] is None


def test_a_locale_without_data_is_left_alone_and_says_so(client):
    answer = ask(client, utterance="play beet it", locale="fr-FR")
    assert (answer["rewrite"], answer["reason"]) == (None, "no bundle data for locale fr-FR")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("", 400, "body"),
        ("{", 400, "body"),
        ('{"utterance": "\\ud800"}', 400, "body"),
        (b'{"utterance": "\xff"}', 400, "body"),
        ("[" * 100_000, 400, "body"),
        ("[]", 422, "body"),
        ("null", 422, "body"),
        ("{}", 422, "utterance"),
        ('{"utterance": null}', 422, "utterance"),
        ('{"utterance": 5}', 422, "utterance"),
        ('{"utterance": "' + "a" * 200_000 + '"}', 422, "utterance"),
        ('{"utterance": "a", "locale": "xx-XX"}', 422, "locale"),
        ('{"utterance": "a", "locale": "english please"}', 422, "locale"),
        ('{"utterance": "a", "locale": ""}', 422, "locale"),
        ('{"utterance": "a", "asr_confidence": "high"}', 422, "asr_confidence"),
        ('{"utterance": "a", "asr_confidence": NaN}', 422, "asr_confidence"),
        ('{"utterance": "a", "at": "yesterday"}', 422, "at"),
        ('{"utterance": "a", "at": "0001-01-01T00:00:00+14:00"}', 422, "at"),
        ('{"utterance": "a", "nbest": [{"text": "b"}, {"score": 1}]}', 422, "nbest"),
        ('{"utterance": "a", "nbest": [{"text": "b", "score": "high"}]}', 422, "nbest"),
        ('{"utterance": "a", "nbest": [["b", 1' + "0" * 400 + "]]}", 422, "nbest"),
        ('{"utterance": "a", "context": "loud"}', 422, "context"),
        ('{"utterance": "a", "context": "' + "[" * 10_000 + '"}', 422, "context"),
        ('{"utterance": "a", "context": "' + "[" * 100_000 + '"}', 422, "context"),
        ('{"utterance": "a", "context": "{\\"a\\": \\"\\\\ud800\\"}"}', 422, "context"),
        ('{"utterance": "a", "context": {' + ",".join(f'"{i}": 1' for i in range(1000)) + "}}", 422, "context"),
        ('{"utterance": "a", "interpretation": {"slots": 5}}', 422, "interpretation.slots"),
        ('{"utterance": "a", "deadline_ms": -1}', 422, "deadline_ms"),
        ('{"utterance": "a", "user_id": "' + "a" * 501 + '"}', 422, "user_id"),
        ('{"utterance": "a", "locale": "en-x-' + "a-" * 40 + 'a"}', 422, "locale"),
        ('{"utterance": "a", "x": "' + "a" * 270_000 + '"}', 413, "body"),
        ('{"utterance": "a", "x": "' + "a" * 5_000_000 + '"}', 413, "body"),
    ],
)
def test_a_malformed_request_is_refused_with_its_field_named(body, status, field, client):
    answer = client.post("/v1/rewrite", content=body)
    assert answer.status_code == status
    assert answer.json()["faults"][0]["field"] == field
    assert answer.json()["error"].startswith(f"{field}: ")
    assert len(answer.text) < 2000


def test_all_faulty_fields_are_named_at_once(client):
    answer = client.post("/v1/rewrite", json={"locale": "??", "deadline_ms": "soon"})
    assert [fault["field"] for fault in answer.json()["faults"]] == ["utterance", "locale", "deadline_ms"]


def test_a_batch_is_answered_in_its_order(client):
    calls = [{"utterance": "play beet it"}, {"utterance": "hello"}, {"utterance": "x y z", "request_id": "third"}]
    answers = client.post("/v1/rewrite:batch", json={"requests": calls}).json()["answers"]
    assert [a["rewrite"] for a in answers] == ["play beat it", None, "play beat it"]
    assert answers[2]["request_id"] == "third"
    assert client.post("/v1/rewrite:batch", json={"requests": []}).json() == {"answers": []}


def test_a_batch_names_the_faulty_request(client):
    answer = client.post("/v1/rewrite:batch", json={"requests": [{"utterance": "a"}, {"utterance": 1}]})
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "requests[1].utterance")
    both = client.post("/v1/rewrite:batch", json={"requests": [{"locale": "??"}, {"utterance": 1}]})
    assert [fault["field"] for fault in both.json()["faults"]] == ["requests[0].utterance", "requests[0].locale"]
    many = client.post("/v1/rewrite:batch", json={"requests": [{"utterance": "a"}] * 300})
    assert (many.status_code, many.json()["faults"][0]["field"]) == (422, "requests")


def test_a_batch_may_be_larger_than_a_call_but_not_without_limit(client):
    calls = [{"utterance": "play beet it", "more": "a" * 300_000}]
    assert client.post("/v1/rewrite", json=calls[0]).status_code == 413
    assert client.post("/v1/rewrite:batch", json={"requests": calls}).json()["answers"][0]["rewrite"] == "play beat it"
    answer = client.post("/v1/rewrite:batch", json={"requests": calls * 15})
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (413, "body")


def test_a_large_body_is_parsed_beside_the_event_loop(client, monkeypatch):
    in_loop = []

    def watched(kind, body):
        in_loop.append(asyncio._get_running_loop() is not None)
        return parse_call(kind, body)

    monkeypatch.setattr(serving.app, "parse_call", watched)
    for size in (10, 100_000):
        client.post("/v1/rewrite:batch", json={"requests": [{"utterance": "play beet it", "more": "a" * size}]})
    assert in_loop == [True, False]


def test_bundles_are_listed_with_the_current_one(client):
    listed = client.get("/v1/bundles").json()
    assert listed["current"] == listed["serving"] == client.version
    assert listed["bundles"][0]["metrics"]["pairs"] == {"active": 3}


def test_health_and_metrics_tell_what_is_served_and_how_often(client):
    before = _count(client, 'rewriter_requests_total{arm="treatment",source="precomputed"}')
    ask(client, utterance="play beet it")
    assert _count(client, 'rewriter_requests_total{arm="treatment",source="precomputed"}') == before + 1
    assert _count(client, f'rewriter_bundle_info{{version="{client.version}"}}') == 1
    assert _count(client, 'rewriter_latency_seconds_count{layer="precomputed"}') >= 1
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready", "bundle_version": client.version, "faults": {}}


def _count(client, name):
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + " ")), 0.0)


def test_the_description_of_the_api_has_every_field_and_no_loose_reference(client):
    page = client.get("/openapi.json").json()
    schemas = page["components"]["schemas"]
    assert {"utterance", "user_id", "nbest", "previous_turns", "deadline_ms"} <= schemas["RewriteCall"]["properties"].keys()
    assert schemas["RewriteCall"]["required"] == ["utterance"]
    assert "/v1/bundles/{version}:activate" in page["paths"]
    answer = ask(client, utterance="play beet it", explain=True)
    assert answer.keys() == schemas["RewriteAnswer"]["properties"].keys()
    assert answer["experiment"].keys() == schemas["ExperimentAnswer"]["properties"].keys()
    text = client.get("/openapi.json").text
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= schemas.keys()


def test_a_request_without_a_time_is_dated_now(client):
    before = datetime.now(UTC)
    assert ask(client, utterance="hello", request_id="dated")["request_id"] == "dated"
    after = datetime.now(UTC)
    client.app.state.service._log.close()  # writes what is waiting
    rows = {row["request_id"]: row for row in read_decisions(client.decisions).to_pylist()}
    assert before <= rows["dated"]["at"] <= after


def test_silence_is_left_alone_and_is_no_fault(client):
    answer = client.post("/v1/rewrite", json={"utterance": " "})
    assert answer.status_code == 200
    assert answer.json()["rewrite"] is None
    assert "no word" in answer.json()["reason"]


def test_a_request_whose_normal_form_is_longer_than_any_logged_one_is_left_alone(client):
    assert "no mined pair" in ask(client, utterance="\ufdfa" * 100)["reason"]
    answer = ask(client, utterance="\ufdfa" * 120)
    assert (answer["rewrite"], answer["reason"][:21]) == (None, "the request has 2160 ")
