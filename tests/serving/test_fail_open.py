"""Whatever breaks inside, the caller gets 200 and null in time."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from rewriter.decision.engine import Engine
from rewriter.retrieval.page import unpack
from serving.service import Limits


def ask(client, **body):
    answer = client.post("/v1/rewrite", json={"utterance": "play beet it"} | body)
    assert answer.status_code == 200
    return answer.json()


def errors(client, reason):
    lines = client.get("/metrics").text.splitlines()
    name = f'rewriter_errors_total{{reason="{reason}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_a_part_that_raises_is_named_counted_and_reported_once(bundles, live, first_layer, caplog):
    def corrupt(request):
        unpack(b"no page at all", "user secret")

    with live(bundles) as client, caplog.at_level(logging.ERROR, "rewriter.serving"):
        first_layer(client.app, corrupt)
        answers = [ask(client, user_id="secret user") for _ in range(3)]
        assert errors(client, "failure") == 3
    for answer in answers:
        assert (answer["rewrite"], answer["source"]) == (None, "none")
        assert answer["reason"].startswith("failed open: rewriter.retrieval.page raised ")
        assert answer["bundle_version"]
        assert answer["experiment"]["arm"] == "treatment"
    assert len([r for r in caplog.records if "failing open" in r.getMessage()]) == 1


def test_a_request_that_breaks_leaves_the_next_one_whole(bundles, live, first_layer):
    def sometimes(request):
        if request.user_id == "bad":
            raise MemoryError

    with live(bundles) as client:
        first_layer(client.app, sometimes)
        assert ask(client, user_id="bad")["rewrite"] is None
        assert ask(client, user_id="good")["rewrite"] == "play beat it"


def test_a_stuck_decision_is_left_at_the_deadline_and_health_still_answers(bundles, live, first_layer):
    release = threading.Event()
    with live(bundles, limits=Limits(workers=2)) as client:
        first_layer(client.app, lambda request: request.user_id == "stuck" and release.wait(20))
        began = time.monotonic()
        answer = ask(client, user_id="stuck", deadline_ms=100)
        assert time.monotonic() - began < 5
        assert answer["reason"] == "deadline: no decision within 100 ms"
        assert client.get("/health/live").status_code == 200
        assert ask(client, user_id="other")["rewrite"] == "play beat it"
        assert errors(client, "deadline") == 1
        release.set()


def test_a_failure_around_the_decision_answers_the_whole_body_and_arm(tmp_path, pair, publish_pairs, live, monkeypatch):
    publish_pairs(tmp_path / "bundles", pair(), control=1.0)
    with live(tmp_path / "bundles", limits=Limits(max_in_flight=0)) as client:
        whole = ask(client, user_id="u")
        assert "overload" in whole["reason"]

        def broken(row):
            raise OSError("no log")

        monkeypatch.setattr(client.app.state.service._log, "put", broken)
        answer = ask(client, user_id="u", request_id="r")
        assert errors(client, "failure") == 1
    assert (answer["request_id"], answer["rewrite"], answer["source"], answer["rewrite_id"]) == ("r", None, "none", None)
    assert answer["reason"].startswith("failed open: ")
    assert answer.keys() == whole.keys()
    assert answer["timings_ms"]["total"] > 0
    experiment = {"name": "rewriting", "arm": "control", "propensity": 1.0, "withheld": None}
    assert answer["experiment"] == whole["experiment"] == experiment


def test_the_server_has_a_deadline_of_its_own(bundles, live, first_layer):
    release = threading.Event()
    with live(bundles, limits=Limits(deadline_ms=80)) as client:
        first_layer(client.app, lambda request: release.wait(20))
        assert ask(client)["reason"] == "deadline: no decision within 80 ms"
        assert ask(client, deadline_ms=60_000)["reason"] == "deadline: no decision within 80 ms"
        release.set()


#: Part -> a request that is rewritten with its help, and its methods.
PARTS = {
    "encoder": ({"utterance": "play jaz music"}, ("encode",)),
    "index": ({"utterance": "play jaz music"}, ("search",)),
    "store": ({"utterance": "play my kitchen albums", "user_id": "ann"}, ("entries",)),
    "ranker": ({"utterance": "play jaz music"}, ("rank",)),
}


class Faulty:
    """A real part, some of whose methods do something else."""

    def __init__(self, part, methods, do):
        self._part, self._methods, self._do = part, methods, do

    def __getattr__(self, name):
        return self._do if name in self._methods else getattr(self._part, name)


def put(client, part, faulty):
    with client.app.state.holder.lease() as loaded:
        object.__setattr__(loaded, "engine", Engine(replace(loaded.engine.parts, **{part: faulty})))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("fault", ["raises", "hangs", "is missing"])
def test_whichever_part_fails_the_answer_is_in_time_without_a_rewrite_and_says_why(part, fault, full, live):
    release = threading.Event()

    def fail(*_, **__):
        if fault == "hangs":
            release.wait(20)
        raise OSError("a secret of the disk")

    body, methods = PARTS[part]
    with live(full) as client:
        assert ask(client, **body)["rewrite"] is not None
        with client.app.state.holder.lease() as loaded:
            whole = getattr(loaded.engine.parts, part)
        put(client, part, None if fault == "is missing" else Faulty(whole, methods, fail))
        began = time.monotonic()
        answer = ask(client, **body, deadline_ms=500)
        assert time.monotonic() - began < 5
        assert client.get("/health/ready").status_code == 200
        release.set()
    assert (answer["rewrite"], answer["source"]) == (None, "none")
    expected = {"raises": "failed open: rewriter.", "hangs": "deadline: no decision within 500 ms"}
    missing = {
        "encoder": "no encoder in the bundle",
        "index": "nothing similar is known",
        "store": "wins with probability",
        "ranker": "no ranker in the bundle",
    }
    assert expected.get(fault, missing[part]) in answer["reason"]
    assert "secret" not in answer["reason"]


def test_overload_answers_at_once_and_passes(bundles, live, first_layer):
    release = threading.Event()
    with (
        live(bundles, limits=Limits(workers=1, max_in_flight=3, deadline_ms=20_000)) as client,
        ThreadPoolExecutor(3) as crowd,
    ):
        first_layer(client.app, lambda request: request.user_id == "slow" and release.wait(20))
        waiting = [crowd.submit(ask, client, user_id="slow") for _ in range(3)]
        while client.app.state.service.in_flight < 3:
            time.sleep(0.01)
        answer = ask(client)
        assert (answer["rewrite"], answer["reason"]) == (None, "overload: 3 requests in flight")
        assert errors(client, "overload") == 1
        release.set()
        assert [w.result()["rewrite"] for w in waiting] == ["play beat it"] * 3
        assert ask(client)["rewrite"] == "play beat it"


def test_a_stuck_decision_counts_as_in_flight_until_it_really_ends(bundles, live, first_layer):
    release = threading.Event()
    with live(bundles, limits=Limits(workers=1, max_in_flight=1, deadline_ms=50)) as client:
        first_layer(client.app, lambda request: release.wait(20))
        assert "deadline" in ask(client)["reason"]
        assert "overload" in ask(client)["reason"]
        release.set()
        while client.app.state.service.in_flight:
            time.sleep(0.01)
        assert ask(client)["rewrite"] == "play beat it"


def test_a_bundle_without_models_serves_its_pairs_and_says_what_is_missing(bundles, live):
    with live(bundles) as client:
        assert ask(client)["rewrite"] == "play beat it"
        assert "no encoder and no ranker in the bundle" in ask(client, utterance="something else")["reason"]


@pytest.mark.parametrize("make", [lambda p: p.write_text("a file where a folder should be"), lambda p: None])
def test_a_log_that_cannot_be_written_costs_no_answer(make, bundles, tmp_path, live):
    log = tmp_path / "log"
    make(log)
    with live(bundles, log / "deep" if log.exists() else log) as client:
        assert ask(client)["rewrite"] == "play beat it"


def test_stopping_finishes_what_is_in_flight(bundles, live, first_layer):
    started, release = threading.Event(), threading.Event()

    def slow(request):
        started.set()
        release.wait(20)

    with live(bundles, limits=Limits(deadline_ms=20_000)) as client, ThreadPoolExecutor(1) as crowd:
        first_layer(client.app, slow)
        waiting = crowd.submit(ask, client)
        assert started.wait(10)
        client.server.should_exit = True
        time.sleep(0.3)
        release.set()
        assert waiting.result()["rewrite"] == "play beat it"


def test_requests_of_a_batch_are_decided_side_by_side(bundles, live, first_layer):
    both = threading.Barrier(2)
    with live(bundles, limits=Limits(workers=2, max_in_flight=2, deadline_ms=15_000)) as client:
        first_layer(client.app, lambda request: both.wait(20))
        answers = ask_batch(client, *({"user_id": str(n)} for n in range(6)))
    assert [answer["rewrite"] for answer in answers] == ["play beat it"] * 6


def test_a_batch_has_one_deadline_for_all_of_its_requests(bundles, live, first_layer):
    with live(bundles, limits=Limits(workers=1, deadline_ms=15_000)) as client:

        def stuck_until_another_is_due(request):
            while request.user_id == "stuck" and not errors(client, "deadline"):
                time.sleep(0.01)

        first_layer(client.app, stuck_until_another_is_due)
        answers = ask_batch(client, {"user_id": "stuck", "deadline_ms": 500}, *[{"deadline_ms": 500}] * 20, {})
    assert [answer["reason"] for answer in answers[:-1]] == ["deadline: no decision within 500 ms"] * 21
    assert answers[-1]["rewrite"] == "play beat it"


def ask_batch(client, *bodies):
    calls = [{"utterance": "play beet it"} | body for body in bodies]
    answer = client.post("/v1/rewrite:batch", json={"requests": calls})
    assert answer.status_code == 200
    return answer.json()["answers"]


def test_a_decision_that_does_not_end_does_not_keep_the_service_from_stopping(bundles, live, first_layer, caplog):
    release = threading.Event()
    with (
        live(bundles, limits=Limits(workers=1, deadline_ms=50)) as client,
        caplog.at_level(logging.ERROR, "rewriter.serving"),
    ):
        first_layer(client.app, lambda request: release.wait(60))
        assert "deadline" in ask(client)["reason"]
        client.app.state.service.close(0.05)
        assert client.app.state.service.in_flight == 1
        release.set()
    assert "did not end within 0.05 s" in caplog.text
