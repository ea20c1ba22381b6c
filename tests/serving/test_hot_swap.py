"""Publishes, rollbacks and stop controls reach a running server within a second or so, and no request is lost."""

import shutil
import threading
import time
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from jobs import control
from rewriter.bundle.layout import CONTROLS, CURRENT, current, current_version
from rewriter.decision.engine import Engine
from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry, table_of
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.personal_index import write_store
from serving import holder


def ask(client, utterance="play beet it"):
    return client.post("/v1/rewrite", json={"utterance": utterance}).json()


def until(condition, seconds=10.0):
    """Wait for a condition; returns how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never happened"
        time.sleep(0.02)
    return time.monotonic() - began


def served(client):
    return client.get("/health/ready").json()


@contextmanager
def traffic(client, n_threads=4):
    """Requests without a pause from several connections; yields what they were answered."""
    stop, answers = threading.Event(), []

    def drive():
        with httpx.Client(base_url=client.base_url, timeout=20) as own:
            while not stop.is_set():
                try:
                    answer = own.post("/v1/rewrite", json={"utterance": "play beet it"})
                    answers.append((answer.status_code, answer.json().get("rewrite"), answer.json().get("bundle_version")))
                except httpx.HTTPError as error:
                    answers.append((0, type(error).__name__, None))

    threads = [threading.Thread(target=drive) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    yield answers
    stop.set()
    for thread in threads:
        thread.join()


def test_publishes_and_rollbacks_under_traffic_lose_no_request(bundles, live, pair, publish_pairs):
    first = current_version(bundles)
    with live(bundles) as client, traffic(client) as answers:
        second = publish_pairs(bundles, pair(rewrite="play beat it by michael jackson")).name
        until(lambda: served(client)["bundle_version"] == second)
        for version in (first, second, first):
            (control.rollback if version == first else _forward(second))(["--bundles", str(bundles)])
            until(lambda version=version: served(client)["bundle_version"] == version)
        time.sleep(0.2)
    assert len(answers) > 50
    right = {(200, "play beat it", first), (200, "play beat it by michael jackson", second)}
    assert set(answers) == right
    assert answers[-1][2] == first


def _forward(version):
    return lambda argv: control.bundles([*argv, "--activate", version])


def test_a_damaged_new_bundle_leaves_the_old_one_in_service_and_says_so(bundles, live, pair, publish_pairs):
    first = current_version(bundles)
    with live(bundles) as client:
        second = publish_pairs(bundles, pair(support_users=99), pair(source="a", rewrite="b"))
        (bundles / CURRENT).write_text(first + "\n")
        data = bytearray((second / "pairs.parquet").read_bytes())
        data[len(data) // 2] ^= 1
        (second / "pairs.parquet").write_bytes(bytes(data))
        (bundles / CURRENT).write_text(second.name + "\n")
        until(lambda: served(client)["faults"])
        state = served(client)
        assert state["bundle_version"] == first
        assert state["faults"] == {"CURRENT": f"bundle {second.name} is damaged: pairs.parquet does not match its checksum"}
        assert "rewriter_bundle_faults 1.0" in client.get("/metrics").text
        assert ask(client)["rewrite"] == "play beat it"
        third = publish_pairs(bundles, pair(rewrite="play beat it loud")).name
        until(lambda: served(client)["bundle_version"] == third)
        assert served(client)["faults"] == {}


def test_a_bundle_that_was_mended_is_taken_over_without_another_publish(bundles, live, pair, publish_pairs, monkeypatch):
    monkeypatch.setattr(holder, "RETRY_S", 0.2)
    first = current_version(bundles)
    with live(bundles) as client:
        second = publish_pairs(bundles, pair(support_users=99))
        control.rollback(["--bundles", str(bundles)])
        until(lambda: served(client)["bundle_version"] == first)
        whole = (second / "pairs.parquet").read_bytes()
        (second / "pairs.parquet").write_bytes(whole[:-1])
        (bundles / CURRENT).write_text(second.name + "\n")
        until(lambda: served(client)["faults"])
        (second / "pairs.parquet").write_bytes(whole)
        until(lambda: served(client)["bundle_version"] == second.name)
        assert served(client)["faults"] == {}


@pytest.mark.parametrize("content", ["", "nonsense\n", "../../etc\n"])
def test_a_current_that_names_nothing_leaves_the_old_bundle_in_service(content, bundles, live):
    first = current_version(bundles)
    with live(bundles) as client:
        (bundles / CURRENT).write_text(content)
        until(lambda: served(client)["faults"])
        assert (
            "names no bundle" in served(client)["faults"]["CURRENT"]
            or "which is no bundle" in served(client)["faults"]["CURRENT"]
        )
        assert ask(client)["bundle_version"] == first


def test_a_blocked_pair_stops_within_seconds_and_stays_out_across_publishes(bundles, live, pair, publish_pairs):
    with live(bundles) as client:
        assert ask(client)["rewrite"] == "play beat it"
        control.block(["Play beet it", "Play 'Beat It'", "--bundles", str(bundles), "--reason", "wrong song"])
        assert until(lambda: ask(client)["rewrite"] is None) < 3
        assert "blocked" in ask(client)["reason"]
        assert ask(client, "turn of the light")["rewrite"] == "turn off the light"
        version = publish_pairs(bundles, pair(support_users=77)).name
        until(lambda: served(client)["bundle_version"] == version)
        assert ask(client)["rewrite"] is None


def test_a_pending_pair_is_served_once_it_is_approved(bundles, live, pair, publish_pairs):
    publish_pairs(bundles, pair(status="pending"))
    with live(bundles) as client:
        assert ask(client)["rewrite"] is None
        control.approve(["play beet it", "play beat it", "--bundles", str(bundles), "--locale", "en-US"])
        until(lambda: ask(client)["rewrite"] == "play beat it")


def test_a_broken_journal_keeps_the_controls_that_were_read_before(bundles, live):
    control.block(["play beet it", "play beat it", "--bundles", str(bundles)])
    with live(bundles) as client:
        assert ask(client)["rewrite"] is None
        (bundles / CONTROLS).write_text("nonsense\n")
        until(lambda: served(client)["faults"])
        assert "line 1: not JSON" in served(client)["faults"]["controls.jsonl"]
        assert ask(client)["rewrite"] is None


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_bytes(b"")])
def test_a_journal_that_is_gone_or_emptied_lifts_no_block_until_it_is_back(spoil, bundles, live):
    control.block(["play beet it", "play beat it", "--bundles", str(bundles)])
    with live(bundles) as client:
        held = client.app.state.holder
        journal = (bundles / CONTROLS).read_bytes()
        spoil(bundles / CONTROLS)
        until(lambda: served(client)["faults"])
        assert "no longer begins with" in served(client)["faults"]["controls.jsonl"]
        assert ask(client)["rewrite"] is None
        (bundles / CONTROLS).write_bytes(journal)
        held.refresh()
        assert served(client)["faults"] == {}
        assert ask(client)["rewrite"] is None


def test_a_version_is_activated_over_the_api_unless_it_is_unknown_or_damaged(bundles, live, pair, publish_pairs):
    first = current_version(bundles)
    second = publish_pairs(bundles, pair(support_users=99))
    with live(bundles) as client:
        answer = client.post(f"/v1/bundles/{first}:activate")
        assert (answer.status_code, answer.json()) == (200, {"current": first, "serving": first})
        assert current_version(bundles) == first
        assert client.post("/v1/bundles/20260101-0123456789ab:activate").status_code == 404
        assert client.post("/v1/bundles/..%2F..:activate").status_code == 404
        (second / "settings.json").write_text("{}")
        damaged = client.post(f"/v1/bundles/{second.name}:activate")
        assert damaged.status_code == 409
        assert "settings.json" in damaged.json()["error"]
        assert ask(client)["bundle_version"] == first


def test_a_version_that_a_request_still_holds_is_taken_over_again_and_closes_when_it_is_left(
    full, live, pair, publish_pairs
):
    first = current_version(full)
    with live(full) as client:
        held = client.app.state.holder
        with held.lease() as old:
            second = publish_pairs(full, pair(support_users=99)).name
            until(lambda: held.version == second)
            control.rollback(["--bundles", str(full)])
            until(lambda: held.version == first or held.faults)
            assert (held.version, held.faults) == (first, {})
            control.bundles(["--bundles", str(full), "--activate", second])
            until(lambda: held.version == second)
        with pytest.raises(RewriterError, match="personal index"):
            old.engine.parts.store.entries("ann")
        control.bundles(["--bundles", str(full), "--activate", first])
        until(lambda: held.version == first or held.faults)
        with held.lease() as again:
            assert len(again.engine.parts.store.entries("ann")) == 1


def test_a_bundle_that_loads_but_cannot_answer_is_refused_in_one_line_and_leaves_no_file_open(full):
    bundle = current(full)
    card = bundle / "encoder" / "encoder.json"
    card.write_text(card.read_text().replace('"dim": 32', '"dim": 33'))
    for name in ("global", "personal"):
        shutil.rmtree(bundle / name)
        (bundle / name).mkdir()
    found = Entry("play jazz music", "en-US", "music", "play_music", {}, 9, 0, 20, 1.7e9)
    GlobalIndex.build(table_of([found]), np.eye(1, 33, dtype=np.float32), 1000).save(bundle / "global")
    write_store(bundle / "personal", [], 33)
    for _ in range(2):
        with pytest.raises(RewriterError, match=r"loads but answers no request \(ValueError: [^\n]*\)$"):
            Engine.ready(bundle, "en-US")


def test_a_version_that_a_request_still_holds_is_not_taken_over_again_once_it_is_damaged(full, live, pair, publish_pairs):
    first = current_version(full)
    with live(full) as client:
        held = client.app.state.holder
        with held.lease():
            second = publish_pairs(full, pair(support_users=99)).name
            until(lambda: held.version == second)
            (full / first / "settings.json").write_text("{}")
            (full / CURRENT).write_text(first + "\n")
            until(lambda: held.faults)
            assert "settings.json" in held.faults["CURRENT"]
            assert held.version == second


def test_an_engine_closes_only_when_the_last_request_has_left_it(bundles, live, pair, publish_pairs):
    with live(bundles) as client:
        held = client.app.state.holder
        with held.lease() as old:
            closed = []
            old.engine.close = lambda: closed.append(True)
            version = publish_pairs(bundles, pair(support_users=99)).name
            until(lambda: held.version == version)
            assert closed == []
        assert closed == [True]
