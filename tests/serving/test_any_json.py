"""Whatever JSON arrives, the answer is 200 or names what is malformed: never a server error."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriter.ingest.convert import map_of, nbest_of
from rewriter.locales import canonical_locale, locale_fault
from rewriter.text import normalise
from serving.calls import (
    MAX_NAME,
    MAX_NBEST,
    MAX_PREVIOUS_TURNS,
    MAX_UTTERANCE,
    BatchCall,
    FeedbackCall,
    MalformedCallError,
    RewriteCall,
    parse_call,
)

FIELDS = (
    "utterance user_id session_id at locale device asr_confidence nbest interpretation context previous_turns request_id "
    "deadline_ms explain text score domain intent slots confidence turn_id response event_id feedback"
).split()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["en-US", "2026-01-01T00:00:00Z"])
VALUE = st.recursive(
    SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | TEXT, v, max_size=4)
)
NBEST = st.lists(st.fixed_dictionaries({"text": TEXT}, optional={"score": SCALAR}), max_size=3)
CALL = st.fixed_dictionaries(
    {"utterance": TEXT | SCALAR},
    optional=dict.fromkeys(FIELDS[1:], VALUE) | {"nbest": NBEST | VALUE, "locale": TEXT | st.just("en-US")},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory, pair, publish_pairs, live):
    folder = tmp_path_factory.mktemp("any") / "bundles"
    publish_pairs(folder, pair())
    with live(folder) as client:
        yield client


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALL | VALUE)
def test_any_json_is_answered_or_refused_by_field(client, value):
    answer = client.post("/v1/rewrite", content=json.dumps(value))
    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 200:
        assert answer.json()["reason"]
        assert "failed open" not in answer.json()["reason"]
    else:
        assert answer.json()["faults"][0]["field"]


def faults_of(kind, body):
    try:
        parse_call(kind, body)
    except MalformedCallError as fault:
        return fault.status, fault.faults
    return 200, [("", "")]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_call_or_a_named_fault(body):
    for kind in (RewriteCall, FeedbackCall):
        status, faults = faults_of(kind, body)
        assert status in (200, 400, 422)
        assert status == 200 or all(field and message for field, message in faults)


@given(st.text(max_size=20))
def test_a_tag_without_fault_has_one_spelling(tag):
    if not locale_fault(tag):
        assert canonical_locale(canonical_locale(tag).upper()) == canonical_locale(tag)


@pytest.mark.parametrize(
    "tag", ["en", "en-US", "EN_us", "zh-Hant-TW", "es-419", "de-CH-1996", "yue-HK", "en-x-home", "sr-Latn-RS"]
)
def test_real_tags_are_accepted(tag):
    assert locale_fault(tag) == ""


@pytest.mark.parametrize(
    "tag", ["", "e", "english", "xx", "xx-US", "en-QQ", "en US", "en--US", "-", "en-US-", "1234", "é-FR"]
)
def test_tags_that_name_nothing_are_refused(tag):
    assert locale_fault(tag)


def test_a_value_of_a_context_is_spelled_as_the_import_of_logs_spells_it():
    context = {"floor": 3.0, "volume": 0.5, "lots": 1e3, "on": True, "off": False, "room": "bath", "two": 2, "none": None}
    context |= {"shown": ["news", {"id": 1}]}
    call = RewriteCall.model_validate_json(json.dumps({"utterance": "play", "context": context}))
    assert dict(call.request("en-US").context) == dict(map_of(context))
    assert call.request("en-US").context["floor"] == "3"


@pytest.mark.parametrize(
    "slots", [{"artist": "abba"}, [{"name": "artist", "value": "abba"}], [["artist", "abba"]], '{"artist": "abba"}']
)
def test_slots_are_read_in_every_form_that_the_import_reads(slots):
    request = RewriteCall(utterance="play", interpretation={"intent": "play", "slots": slots}).request("en-US")
    assert dict(request.interpretation.slots) == dict(map_of(slots)) == {"artist": "abba"}


def test_hypotheses_are_read_in_every_form_that_the_import_reads():
    forms = ["play", ["played", 0.5], {"transcript": "clay", "score": 0.2}, {"text": "lay", "confidence": 0.1}]
    for nbest in (forms, json.dumps(forms), "", None):
        request = RewriteCall.model_validate_json(json.dumps({"utterance": "play", "nbest": nbest})).request("en-US")
        assert [{"text": a.text, "score": a.score} for a in request.nbest] == ((nbest_of(nbest) if nbest else None) or [])


def test_of_many_hypotheses_the_first_are_read():
    request = RewriteCall(utterance="play", nbest=[*["a"] * MAX_NBEST, *[{}] * 100_000]).request("en-US")
    assert len(request.nbest) == MAX_NBEST


def test_a_status_is_read_in_any_case():
    request = RewriteCall(utterance="play", previous_turns=[{"utterance": "a", "response_status": " NO_RESULT"}]).request(
        "en"
    )
    assert request.previous_turns[0].response_status == "no_result"


@pytest.mark.parametrize(("told", "known"), [(0.0, 0.0), (1, 1.0), (0.4, 0.4), (-2.0, None), (85, None), (None, None)])
def test_a_confidence_on_another_scale_is_unknown(told, known):
    call = RewriteCall(utterance="play", asr_confidence=told, interpretation={"intent": "play", "confidence": told})
    request = call.request("en-US")
    assert request.asr_confidence == known
    assert request.interpretation.confidence == known


def test_of_long_hypotheses_and_earlier_turns_only_so_much_is_read_as_of_an_utterance():
    long = "a" * (MAX_UTTERANCE + 1)
    request = RewriteCall(utterance="play", nbest=[{"text": long}], previous_turns=[{"utterance": long}]).request("en-US")
    assert len(request.nbest[0].text) == len(request.previous_turns[0].utterance) == MAX_UTTERANCE


def test_of_many_earlier_turns_only_the_last_are_looked_at():
    turns = [*[5] * 1000, *[{"utterance": str(n)} for n in range(MAX_PREVIOUS_TURNS)]]
    request = RewriteCall(utterance="play", previous_turns=turns).request("en-US")
    assert [turn.utterance for turn in request.previous_turns] == [str(n) for n in range(MAX_PREVIOUS_TURNS)]


def test_of_a_batch_the_faults_of_its_first_faulty_request_are_named():
    body = json.dumps({"requests": [{"utterance": "a"}, {"utterance": 1, "at": "x"}, *[{}] * 200]}).encode()
    assert [field for field, _ in faults_of(BatchCall, body)[1]] == ["requests[1].utterance", "requests[1].at"]


LONG = "a" * (MAX_NAME + 1)
LONG_VALUE = {"a": "a" * (MAX_UTTERANCE + 1)}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"user_id": LONG}, "user_id"),
        ({"session_id": LONG}, "session_id"),
        ({"device": LONG}, "device"),
        ({"interpretation": {"domain": LONG}}, "interpretation.domain"),
        ({"interpretation": {"intent": LONG}}, "interpretation.intent"),
        ({"interpretation": {"slots": LONG_VALUE}}, "interpretation.slots"),
        ({"context": LONG_VALUE}, "context"),
        ({"context": [[LONG_VALUE["a"], 1]]}, "context"),
        ({"previous_turns": [{"turn_id": LONG}]}, "previous_turns[0].turn_id"),
        ({"previous_turns": [{"intent": LONG}]}, "previous_turns[0].intent"),
        ({"previous_turns": [{"response_status": LONG}]}, "previous_turns[0].response_status"),
    ],
)
def test_a_name_or_value_without_end_is_refused(call, field):
    status, faults = faults_of(RewriteCall, json.dumps({"utterance": "a"} | call).encode())
    assert (status, [name for name, _ in faults]) == (422, [field])


def test_of_a_long_response_only_so_much_is_read_as_of_an_utterance():
    request = RewriteCall(utterance="play", previous_turns=[{"response": LONG_VALUE["a"]}]).request("en-US")
    assert len(request.previous_turns[0].response) == MAX_UTTERANCE


def test_of_texts_whose_normal_form_is_long_no_more_is_compared_than_of_an_utterance():
    long = "\ufdfa" * MAX_UTTERANCE
    turn = {"utterance": long, "response": long}
    request = RewriteCall(utterance="play", nbest=[long], previous_turns=[turn]).request("en-US")
    before = request.previous_turns[0]
    read = [len(normalise(text)) for text in (request.nbest[0].text, before.utterance, before.response)]
    assert [MAX_UTTERANCE // 2 < n <= MAX_UTTERANCE for n in read] == [True] * 3


def test_nothing_is_kept_of_a_tag_that_is_too_long():
    assert locale_fault("en-x-bb" + "-a" * 14) == ""
    kept = canonical_locale.cache_info()
    assert "has 36 characters" in locale_fault("en-x" + "-a" * 16)
    assert canonical_locale.cache_info() == kept
