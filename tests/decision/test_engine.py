"""The engine on a bundle that holds pairs alone."""

from __future__ import annotations

import gc
import time
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewriter.bundle.controls import Controls, PairSet
from rewriter.decision.engine import Engine
from rewriter.decision.request import Interpretation, Request
from rewriter.errors import RewriterError
from rewriter.retrieval.entries import Entry, table_of
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.page import PersonalEntries
from rewriter.retrieval.personal_index import write_store
from schemas.tables import REWRITE_PAIRS

BEAT_IT = Request("Play Beet It!", locale="en-US")
KEY = ("en-US", "play beet it", "play beat it")


def pair(**changes):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    row = {
        "locale": "en-US",
        "source": "play beet it",
        "rewrite": "play beat it",
        "p_success_source": 0.2,
        "p_success_rewrite": 0.9,
        "lift": 0.7,
        "lift_lower": 0.5,
        "share": 0.8,
        "support_users": 30,
        "support_sessions": 40,
        "certified": True,
        "status": "active",
        "reason": "",
        "model_version": "m",
        "first_seen": at,
        "last_seen": at,
        "domain": "music",
        "intent": "play_music",
    }
    return row | changes


@pytest.fixture
def engine_of(tmp_path: Path):
    def build(*rows) -> Engine:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=REWRITE_PAIRS.schema), tmp_path / "pairs.parquet")
        return Engine.load(tmp_path)

    return build


def test_an_active_pair_is_served_with_its_evidence(engine_of):
    decision = engine_of(pair()).decide(BEAT_IT, Controls())
    assert (decision.rewrite, decision.source) == ("play beat it", "precomputed")
    assert decision.probability == pytest.approx(0.72)
    assert decision.rewrite_id == "a909dbebd7da9a12"
    assert decision.reason == "30 users said this and succeeded with 'play beat it': success 20% as said, 90% rewritten"


@pytest.mark.parametrize("status", ["pending", "rejected", "blocked", "expired"])
def test_a_pair_that_is_not_active_is_not_served(engine_of, status):
    decision = engine_of(pair(status=status)).decide(BEAT_IT, Controls())
    assert decision.rewrite is None
    assert decision.source == "none"
    assert "no mined pair" in decision.reason


def test_an_approved_pending_pair_is_served_and_an_approved_rejected_one_is_not(engine_of):
    approved = Controls(approved=PairSet({KEY}))
    assert engine_of(pair(status="pending")).decide(BEAT_IT, approved).rewrite == "play beat it"
    assert engine_of(pair(status="rejected")).decide(BEAT_IT, approved).rewrite is None


@pytest.mark.parametrize("locale", ["en-US", "*"])
def test_a_blocked_pair_is_never_served_and_the_next_best_is(engine_of, locale):
    blocked = Controls(blocked=PairSet({(locale, *KEY[1:])}))
    alone = engine_of(pair()).decide(BEAT_IT, blocked)
    assert alone.rewrite is None
    assert "blocked by an analyst" in alone.reason
    second = pair(rewrite="play beat it by michael jackson", share=0.1)
    assert engine_of(pair(), second).decide(BEAT_IT, blocked).rewrite == "play beat it by michael jackson"


def test_a_pair_of_another_locale_is_not_served(engine_of):
    assert engine_of(pair()).decide(replace(BEAT_IT, locale="en-GB"), Controls()).rewrite is None


def test_a_taught_rewrite_comes_before_a_mined_one_unless_it_is_blocked(engine_of):
    taught = Controls(taught={("en-US", "play beet it"): "play beethoven"})
    engine = engine_of(pair())
    assert (engine.decide(BEAT_IT, taught).rewrite, engine.decide(BEAT_IT, taught).source) == ("play beethoven", "taught")
    blocked = replace(taught, blocked=PairSet({("en-US", "play beet it", "play beethoven")}))
    assert engine.decide(BEAT_IT, blocked).source == "precomputed"


def test_a_protected_intent_is_neither_rewritten_nor_produced(engine_of):
    calling = replace(BEAT_IT, interpretation=Interpretation("calls", "MakeCall"))
    assert "protected intent 'MakeCall'" in engine_of(pair()).decide(calling, Controls()).reason
    produced = engine_of(pair(intent="send_message")).decide(BEAT_IT, Controls())
    assert produced.rewrite is None
    assert "protected intent 'send_message'" in produced.reason


def test_a_rewrite_that_another_pair_rewrites_is_not_served(engine_of):
    chained = engine_of(pair(), pair(source="play beat it", rewrite="play beat it live"))
    assert "itself rewritten" in chained.decide(BEAT_IT, Controls()).reason


def test_a_mined_rewrite_is_served_after_the_deadline(engine_of):
    assert engine_of(pair()).decide(BEAT_IT, Controls(), time.monotonic() - 1).rewrite == "play beat it"


def test_the_same_request_gets_the_same_decision(engine_of):
    engine = engine_of(pair())
    assert engine.decide(BEAT_IT, Controls()) == engine.decide(BEAT_IT, Controls())


def test_an_absent_part_is_named_and_nothing_fails(tmp_path):
    decision = Engine.load(tmp_path).decide(BEAT_IT, Controls())
    assert decision.rewrite is None
    assert "no encoder and no ranker in the bundle" in decision.reason


def test_a_missing_bundle_and_a_broken_part_are_named(tmp_path):
    with pytest.raises(RewriterError, match="no bundle at"):
        Engine.load(tmp_path / "absent")
    (tmp_path / "pairs.parquet").write_bytes(b"not parquet")
    with pytest.raises(RewriterError, match=r"pairs\.parquet"):
        Engine.load(tmp_path)
    (tmp_path / "pairs.parquet").unlink()
    (tmp_path / "decision.json").write_text("{}")
    with pytest.raises(RewriterError, match=r"decision\.json"):
        Engine.load(tmp_path)


def vectors_of(folder, *, dim, version, personal_dim=None, personal_version=None):
    """A bundle of a global and a personal index, each of vectors that some encoder made."""
    for name in ("global", "personal"):
        (folder / name).mkdir()
    found = Entry("play jazz", "en-US", "music", "play_music", {}, 9, 0, 20, 1.7e9)
    GlobalIndex.build(table_of([found]), np.eye(1, dim, dtype=np.float32), 1000, version).save(folder / "global")
    page = PersonalEntries.of([found], np.eye(1, personal_dim or dim, dtype=np.float32))
    write_store(folder / "personal", [("ann", page)], personal_dim or dim, personal_version or version)
    return folder


def test_indexes_of_other_dimensions_or_of_another_encoder_are_refused_by_name_and_what_differs(tmp_path):
    other = vectors_of(tmp_path, dim=32, version="v1", personal_dim=16, personal_version="v2")
    dims = r"dimensions are 32 \(global index\), 16 \(personal index\)"
    for _ in range(2):  # the second time too: no file stays open
        with pytest.raises(RewriterError, match=rf"{dims}; encoder versions are v1 \(global index\), v2 \(personal index\)"):
            Engine.load(other)


@pytest.mark.parametrize("version", ["", "v1"])
def test_indexes_of_one_encoder_or_of_one_that_was_not_written_down_fit(version, tmp_path):
    engine = Engine.load(vectors_of(tmp_path, dim=32, version=version, personal_version="v1"))
    assert engine.decide(BEAT_IT).rewrite is None
    engine.close()


def test_what_a_foreign_library_raises_on_a_part_is_one_line_that_names_it(tmp_path):
    bundle = vectors_of(tmp_path, dim=32, version="v1")
    (bundle / "personal" / "personal.json").write_text("[]")
    with pytest.raises(RewriterError, match=r"personal index .*personal: cannot be loaded \(TypeError: "):
        Engine.load(bundle)


def test_an_engine_that_nobody_holds_is_gone_at_once(engine_of):
    # A service swaps bundles for months; what is left to the garbage collector keeps its files and memory till then.
    gc.disable()
    try:
        engine = engine_of(pair())
        assert engine.decide(BEAT_IT, Controls()).rewrite is not None
        parts = [weakref.ref(part) for part in (engine, engine.parts.pairs, engine.online)]
        del engine
        assert [part() for part in parts] == [None] * 3
    finally:
        gc.enable()
