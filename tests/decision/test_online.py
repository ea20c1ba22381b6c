"""Retrieved candidates: personal, global and alternatives, on small indexes with a transparent encoder."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from rewriter.bundle.controls import Controls, PairSet
from rewriter.decision.candidate import Pair
from rewriter.decision.engine import Engine, Parts
from rewriter.decision.gates import LAYERS, Gate
from rewriter.decision.known import Known
from rewriter.decision.pairs import PairTable
from rewriter.decision.request import Alternative, Request
from rewriter.decision.retrieve import Directory, Retriever
from rewriter.ranking.combiner import Combiner
from rewriter.ranking.features import NAMES, features_of, named
from rewriter.ranking.ranker import StagedRanker
from rewriter.retrieval.contexts import Contexts
from rewriter.retrieval.entries import Entry, table_of
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.page import CorruptPageError, PersonalEntries
from rewriter.settings import Settings

DIM = 256


class Letters:
    """Counts of pairs of letters, scaled to length 1."""

    dim = DIM

    def encode(self, texts):
        out = np.zeros((len(texts), DIM), np.float32)
        for i, text in enumerate(texts):
            for a, b in zip(f" {text}", f"{text} ", strict=True):
                out[i, (31 * ord(a) + ord(b)) % DIM] += 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)


class Drawer:
    """A personal store in a dictionary."""

    dim = DIM

    def __init__(self, users):
        self._users = users

    def entries(self, user_id):
        own = tuple(self._users.get(user_id, ()))
        vectors = Letters().encode([e.utterance for e in own]) if own else np.zeros((0, DIM), np.float32)
        return PersonalEntries.of(own, vectors)

    def search(self, user_id, vector, k, locale=None):
        raise AssertionError("the engine reads a user's page once")


def entry(text: str, n_success: int = 50, n_defect: int = 1, n_users: int = 20, intent: str = "play") -> Entry:
    return Entry(text, "en-US", "music", intent, {}, n_success, n_defect, n_users, 1.7e9)


def combiner(**weights: float) -> Combiner:
    """Probability = sigmoid of the weighted features, ``intercept`` apart."""
    intercept = weights.pop("intercept", 0.0)
    w = np.array([weights.get(name, 0.0) for name in NAMES])
    assert set(weights) <= set(NAMES)
    return Combiner(NAMES, np.zeros(len(NAMES)), np.ones(len(NAMES)), w, intercept)


ENTRIES = [entry(t) for t in ("play beat it", "play beetles", "rain tomorrow")]
OWN = {"ann": [entry("play meat it", 9, 0, 1)], "bob": [entry("play beef it", 9, 0, 1)]}
LIST = ("screen", "list")
SEEN = Contexts.of(
    [("en-US", where, shape, n) for where, shape, n in ((None, None, 20), (None, "music|play", 10), (LIST, None, 18))]
)
OPEN = {name: Gate(True, 0.5, "test") for name in LAYERS}


def engine(pairs=(), gates=OPEN, settings=None, **weights) -> Engine:
    weights = weights or {"characters": 20.0, "intercept": -15.0}
    vectors = Letters().encode([e.utterance for e in ENTRIES])
    index = GlobalIndex.build(table_of(ENTRIES), vectors, 1000, contexts=SEEN)
    parts = Parts(
        settings or Settings(),
        PairTable.of_pairs(pairs),
        Letters(),
        index,
        Drawer(OWN),
        StagedRanker(combiner(**weights)),
        dict(gates),
    )
    return Engine(parts)


SAID = Request("play beet it", user_id="cat", at=datetime(2026, 1, 1, tzinfo=UTC))


def test_the_nearest_success_of_everybody_is_served_with_its_evidence():
    decision = engine().decide(SAID, Controls())
    assert (decision.rewrite, decision.source) == ("play beat it", "global")
    assert "said by 20 users, 50 successes" in decision.reason
    assert decision.probability == pytest.approx(decision.candidates[0].probability)
    assert decision.candidates[0].utterance == "play beat it"


def test_what_was_heard_but_for_a_letter_is_left_alone_and_nothing_else_is_served_for_it():
    careful = Settings(decide=replace(Settings().decide, max_alike=0.9))
    assert engine(settings=careful).decide(SAID, Controls()).rewrite is None
    decision = engine(settings=careful).decide(SAID, Controls())
    assert "'play beat it' is 92% what was heard" in decision.reason
    farther = replace(SAID, utterance="play bee tit")
    assert engine(settings=careful).decide(farther, Controls()).rewrite == "play beat it"


def test_a_request_is_found_by_its_letters_where_its_meaning_leads_elsewhere():
    class Astray(Letters):
        """Sees in what was misheard another meaning."""

        def encode(self, texts):
            return super().encode(["rain tomorrow" if t == SAID.key else t for t in texts])

    index = GlobalIndex.build(table_of(ENTRIES), Letters().encode([e.utterance for e in ENTRIES]), 1000)
    known = Known(Controls())
    for k_letters, found in ((0, {"rain tomorrow"}), (1, {"rain tomorrow", "play beat it"})):
        few = replace(Settings().retrieval, k_global=1, k_letters=k_letters)
        candidates = Retriever(Astray(), index, Directory(index), few).candidates(SAID, known)
        assert {c.utterance for c in candidates} == found
        assert all(c.layers == ("global",) and c.entry for c in candidates)


def test_a_user_gets_the_own_request_and_nobody_elses():
    habit = {"is_personal": 30.0, "intercept": -15.0}
    for user, own in (("ann", "play meat it"), ("bob", "play beef it")):
        decision = engine(**habit).decide(replace(SAID, user_id=user), Controls())
        assert (decision.rewrite, decision.source) == (own, "personal")
        other = {"ann": "play beef it", "bob": "play meat it"}[user]
        assert other not in {c.utterance for c in decision.candidates}
    for nobody in ("cat", None):
        decision = engine(**habit).decide(replace(SAID, user_id=nobody), Controls())
        assert decision.rewrite is None
        assert not {"play meat it", "play beef it"} & {c.utterance for c in decision.candidates}


def test_of_two_layers_the_likelier_candidate_is_served():
    likely_global = engine(candidate_known=40.0, is_personal=30.0, intercept=-20.0, characters=1.0)
    assert likely_global.decide(replace(SAID, user_id="ann"), Controls()).source == "global"


def test_an_alternative_of_the_recogniser_is_judged_by_the_same_ranker():
    heard = replace(SAID, nbest=(Alternative("play beet it", 0.6), Alternative("play the beat", 0.4)))
    decision = engine(in_nbest=30.0, intercept=-15.0).decide(heard, Controls())
    assert (decision.rewrite, decision.source) == ("play the beat", "alternative")
    assert "number 2 of the recogniser's hypotheses" in decision.reason
    chosen = decision.candidates[0]
    assert (chosen.rank, chosen.gap) == (1, pytest.approx(0.2))


def test_the_layers_come_in_order():
    pair = Pair("en-US", "play beet it", "play beetroot", 0.1, 0.9, 0.9, 30, "active", "music", "play")
    taught = Controls(taught={("en-US", "play beet it"): "play bach"})
    assert engine([pair]).decide(SAID, taught).source == "taught"
    assert engine([pair]).decide(SAID, Controls()).source == "precomputed"
    blocked = Controls(blocked=PairSet({("en-US", "play beet it", "play beetroot")}))
    assert engine([pair]).decide(SAID, blocked).source == "global"


def test_a_blocked_rewrite_is_not_served_by_any_layer():
    blocked = Controls(blocked=PairSet({("en-US", "play beet it", "play beat it")}))
    decision = engine().decide(SAID, blocked)
    assert decision.rewrite != "play beat it"
    refused = {c.utterance: c.refused for c in decision.candidates}
    assert refused["play beat it"] == "blocked by an analyst"


def test_a_request_that_usually_succeeds_is_left_alone():
    decision = engine(intercept=15.0).decide(replace(SAID, utterance="rain tomorrow"), Controls())
    assert decision.rewrite is None
    assert decision.reason == "the request succeeds 98% of 51 times as it is"


def test_a_request_that_works_for_this_user_is_left_alone():
    own = engine(intercept=15.0).decide(replace(SAID, utterance="play meat it", user_id="ann"), Controls())
    assert "this user's own request succeeded 9 of 9 times" in own.reason
    assert engine(intercept=15.0).decide(replace(SAID, utterance="play meat it", user_id="bob"), Controls()).rewrite


@pytest.mark.parametrize("layer", ["personal", "global", "alternative"])
def test_a_layer_that_is_off_serves_nothing(layer):
    heard = replace(SAID, user_id="ann", nbest=(Alternative("play beet it", 0.6), Alternative("play the beat", 0.4)))
    off = OPEN | {layer: Gate(False, 0.0, "missed its target")}
    assert engine(gates=off, intercept=5.0).decide(heard, Controls()).source != layer
    only = {name: Gate(name in (layer, "precomputed"), 0.0, "missed its target") for name in LAYERS}
    assert engine(gates=only, intercept=5.0).decide(heard, Controls()).source == layer


def test_a_probability_below_the_threshold_is_not_served_and_said():
    high = {name: Gate(True, 0.999, "test") for name in LAYERS}
    decision = engine(gates=high).decide(SAID, Controls())
    assert decision.rewrite is None
    assert "'play beat it': wins with probability 0.966, below 0.999" in decision.reason


def test_after_the_deadline_nothing_is_retrieved():
    decision = engine().decide(SAID, Controls(), time.monotonic() - 0.001)
    assert (decision.rewrite, decision.source) == (None, "none")
    assert "deadline" in decision.reason
    assert decision.candidates == ()
    assert engine().decide(SAID, Controls(), time.monotonic() + 60).rewrite == "play beat it"


def test_another_locale_sees_none_of_it():
    assert engine(intercept=15.0).decide(replace(SAID, locale="de-DE", user_id="ann"), Controls()).rewrite is None


def test_features_of_the_job_are_the_features_of_the_answer():
    heard = replace(SAID, user_id="ann", nbest=(Alternative("play beet it", 0.6), Alternative("play the beat", 0.4)))
    built = engine()
    served = {c.utterance: c.features for c in built.decide(heard, Controls()).candidates if not c.refused or c.features}
    known = built.known(heard)
    candidates, _ = built.online.allowed(heard, known)
    offline = features_of(heard, known, candidates)
    assert {c.utterance for c in candidates} == set(served)
    for candidate, row in zip(candidates, offline, strict=True):
        assert named(row) == served[candidate.utterance]


def test_what_is_asked_in_a_context_speaks_for_a_candidate_and_an_unknown_context_for_none():
    built = engine(context_fit=1.0)
    on_list = built.decide(replace(SAID, context={"screen": "list"}), Controls()).candidates[0]
    assert on_list.features["context_fit"] == pytest.approx(-math.log(18 * 10 / 20 + 1))
    assert on_list.probability == pytest.approx(1 / (18 * 10 / 20 + 2))
    elsewhere = built.decide(replace(SAID, context={"screen": "map"}), Controls()).candidates[0]
    assert elsewhere.features["context_fit"] is None
    assert elsewhere.probability == 0.5


def test_a_damaged_page_costs_the_user_the_own_history_and_nothing_else(caplog):
    class Damaged(Drawer):
        def entries(self, user_id):
            raise CorruptPageError(f"user '{user_id}': damaged page")

    sound = engine()
    broken = Engine(replace(sound.parts, store=Damaged(OWN)))
    decision = broken.decide(replace(SAID, user_id="ann"), Controls())
    assert (decision.rewrite, decision.source) == ("play beat it", "global")
    nothing = broken.decide(replace(SAID, user_id="ann", locale="de-DE"), Controls())
    assert "personal history cannot be read" in nothing.reason
    assert "'ann'" not in nothing.reason
    assert "user 'ann': damaged page" in caplog.text


def test_the_same_request_gets_the_same_decision():
    heard = replace(SAID, user_id="ann", nbest=(Alternative("play the beat", 0.6), Alternative("play beets", 0.4)))
    assert engine().decide(heard, Controls()) == engine().decide(heard, Controls())
