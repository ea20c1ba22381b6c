"""Features one by one, on a request whose numbers can be checked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from rewriter.decision.candidate import Candidate
from rewriter.decision.known import Known, NoControls
from rewriter.decision.request import Alternative, Interpretation, PreviousTurn, Request
from rewriter.ranking import features
from rewriter.ranking.features import FEATURES, MOST_WORDS, NAMES, features_of
from rewriter.ranking.heard import MOST_CHARACTERS, MOST_HEARD, MOST_HYPOTHESES, Heard
from rewriter.retrieval.contexts import RESPONSE, Contexts
from rewriter.retrieval.entries import Entry
from rewriter.retrieval.page import PersonalEntries
from rewriter.text import similarity

DAY = 86400.0
AT = datetime(2026, 3, 11, tzinfo=UTC)


def entry(text: str, n_success: int, n_defect: int, n_users: int = 1, days_ago: float = 0.0) -> Entry:
    return Entry(text, "en-US", "music", "play", {}, n_success, n_defect, n_users, AT.timestamp() - days_ago * DAY)


OWN = entry("play beat it", 3, 0, 1, days_ago=1.0)
REQUEST = Request(
    "play beet it",
    at=AT,
    asr_confidence=0.4,
    interpretation=Interpretation("music", "browse", {}, 0.3),
    previous_turns=(PreviousTurn("Play Beets", response_status="fallback"),),
)
KNOWN = Known(
    NoControls(),
    entry=entry("play beet it", 8, 4),
    own=None,
    personal=PersonalEntries.of((OWN, entry("rain tomorrow", 9, 0)), np.zeros((2, 4), np.float32)),
)
BEAT_IT = Candidate(
    "play beat it",
    ("personal", "alternative"),
    entry=entry("play beat it", 98, 0, 40),
    own=OWN,
    bi_encoder=0.8,
    rank=2,
    gap=0.3,
)
OTHER = Candidate("play the beat", ("global",), bi_encoder=0.5)


def values(request=REQUEST, known=KNOWN, candidates=(BEAT_IT, OTHER), which=0) -> dict[str, float]:
    return dict(zip(NAMES, features_of(request, known, candidates)[which], strict=True))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bi_encoder", 0.8),
        ("bi_encoder_lead", 0.3),
        ("characters", 11 / 12),
        ("sound", 1.0),
        ("kept", 2 / 3),
        ("words_more", 0.0),
        ("n_words", math.log(4)),
        ("asr_known", 1.0),
        ("asr_confidence", 0.4),
        ("nlu_asked", 1.0),
        ("nlu_understood", 1.0),
        ("nlu_confidence", 0.3),
        ("request_known", 1.0),
        ("request_defect", 1 - 9 / 14),
        ("request_turns", math.log(13)),
        ("request_own", 0.0),
        ("candidate_known", 1.0),
        ("candidate_success", 0.99),
        ("candidate_users", math.log(41)),
        ("popularity", math.log(99) - math.log(13)),
        ("is_personal", 1.0),
        ("own_count", math.log(4)),
        ("own_share", 0.25),
        ("own_days", math.log(2)),
        ("own_like", 0.8 * 2 / 3),
        ("own_rival", 0.0),
        ("domain", 1.0),
        ("intent", -1.0),
        ("in_nbest", 1.0),
        ("nbest_rank", 2.0),
        ("nbest_gap", 0.3),
        ("numbers", 0.0),
        ("previous_failed", 1.0),
        ("repeat", 1 - 3 / 12),
        ("failed_before", 1 - 4 / 12),
    ],
)
def test_a_feature_has_its_worked_value(name, value):
    assert values()[name] == pytest.approx(value)


TOLD_NOTHING = values(Request("play beet it"), Known(NoControls()), (Candidate("play beat it", ("global",)),))


def test_what_nobody_told_us_is_unknown_and_what_nobody_said_is_zero():
    told = {"asr_confidence", "nlu_confidence", "request_defect", "own_days", "own_like", "own_rival", "context_fit"}
    assert {name for name, value in TOLD_NOTHING.items() if math.isnan(value)} == told
    text = {"characters", "words", "kept", "sound", "words_more", "n_words", "nbest_like", "heard"}
    assert {name for name, value in TOLD_NOTHING.items() if value != 0.0} == told | text - {"words_more"}


def test_a_loop_of_the_recogniser_is_no_longer_than_a_few_words_more():
    loop, text = (
        Candidate("play " + "beat it " * 40, ("alternative",)),
        Candidate("play beat it once more", ("alternative",)),
    )
    assert values(candidates=(loop,))["words_more"] == MOST_WORDS
    assert values(Request("play it " * 40), candidates=(text,))["words_more"] == -MOST_WORDS
    assert values(candidates=(text,))["words_more"] == 2.0


def test_what_is_spread_over_the_hypotheses_was_heard():
    heard = replace(REQUEST, utterance="play beet", nbest=(Alternative("play beet", 0.4), Alternative("clay it", 0.3)))
    found = values(heard)
    assert found["heard"] == pytest.approx((1.0 + 3 / 4 + 1.0) / 3)
    assert found["nbest_like"] == pytest.approx((9 / 12 + 5 / 12) / 2)
    assert values(replace(REQUEST, nbest=(Alternative("", None),)))["nbest_like"] == pytest.approx(11 / 12)


def test_only_so_much_of_what_was_heard_is_looked_at():
    first = [Alternative(f"play beet {k}", None) for k in range(MOST_HYPOTHESES)]
    few, many = (replace(REQUEST, nbest=tuple(nbest)) for nbest in (first, [*first, Alternative("play beat it", None)]))
    assert values(many)["heard"] == values(few)["heard"] < 1.0
    words = [f"{k:03d}" for k in range(MOST_HEARD + 1)]
    texts = [" ".join(words[k : k + 70]) for k in range(0, len(words), 70)]
    heard = Heard(Request(texts[0], nbest=tuple(Alternative(text, None) for text in texts)))
    assert heard.words(words[-2]) == 1.0 > heard.words(words[-1])
    long = Heard(Request("a", nbest=(Alternative("x" * 10 * MOST_CHARACTERS + " beat", None),)))
    assert long.words("beat") < 1.0
    assert long.like("x" * 20 * MOST_CHARACTERS) == pytest.approx(0.5, abs=0.01)


def test_only_so_much_of_the_previous_request_is_compared():
    same = "a" * MOST_CHARACTERS
    before = PreviousTurn(same + "b" * 1000, response_status="fallback")
    request = replace(REQUEST, utterance=same + "c" * 1000, previous_turns=(before,))
    found = values(request, candidates=(Candidate(same + "d" * 1000, ("global",)),))
    assert (found["repeat"], found["failed_before"]) == (1.0, 1.0)


def test_the_previous_request_is_compared_with_the_request_once(monkeypatch):
    compared = []
    monkeypatch.setattr(features, "similarity", lambda a, b: compared.append((a, b)) or similarity(a, b))
    values()
    assert compared.count(("play beets", "play beet it")) == 1


def test_an_alternative_without_a_score_has_an_unknown_gap():
    assert math.isnan(values(candidates=(replace(BEAT_IT, gap=None),))["nbest_gap"])


def test_an_intent_that_was_not_understood_has_no_confidence_and_one_without_confidence_an_unknown_one():
    guess = replace(REQUEST, interpretation=Interpretation(None, None, {}, 0.3))
    unsure = replace(REQUEST, interpretation=Interpretation("music", "browse"))
    assert values(guess)["nlu_confidence"] == 0.0
    assert math.isnan(values(unsure)["nlu_confidence"])


def test_a_candidate_fits_the_screen_and_the_response_it_is_often_asked_after():
    screen, said = ("screen", "list"), (RESPONSE, "beets is not here")
    play = ((None, 10.0), (screen, 19.0))
    everything = ((None, 40.0), (screen, 20.0), (said, 8.0))
    rows = [("en-US", context, None, n) for context, n in everything]
    seen = Contexts.of([*rows, *(("en-US", context, "music|play", n) for context, n in play)])
    known = replace(KNOWN, contexts=seen)
    before = PreviousTurn("play beets", response="Beets is not here.")
    fits = [math.log((19 + 1) / (20 / 4 + 1)), math.log((0 + 1) / (8 / 4 + 1))]
    on_screen = replace(REQUEST, context={"screen": "list"})
    assert values(on_screen, known)["context_fit"] == pytest.approx(fits[0])
    assert values(replace(on_screen, previous_turns=(before,)), known)["context_fit"] == pytest.approx(sum(fits) / 2)
    assert math.isnan(values(on_screen, known, which=1)["context_fit"])


def test_the_lead_of_all_but_the_best_is_negative():
    assert values(which=1)["bi_encoder_lead"] == pytest.approx(-0.3)


def test_a_candidate_with_another_number_or_negation_shows_it():
    other = values(Request("wake me at seven"), Known(NoControls()), (Candidate("do not wake me at six", ("global",)),))
    assert (other["numbers"], other["negations"]) == (1.0, 1.0)


def test_every_feature_is_named_once_with_unit_and_meaning():
    assert len(set(NAMES)) == len(FEATURES)
    assert all(f.unit and f.doc for f in FEATURES)


def test_no_candidates_give_no_rows():
    assert features_of(REQUEST, KNOWN, ()).shape == (0, len(FEATURES))


def test_what_is_shared_by_the_candidates_is_what_each_of_them_has_alone():
    together = features_of(REQUEST, KNOWN, (BEAT_IT, OTHER))
    for i, candidate in enumerate((BEAT_IT, OTHER)):
        alone = features_of(REQUEST, KNOWN, (candidate,))[0]
        shared = [place for place, feature in enumerate(FEATURES) if feature.shared]
        np.testing.assert_array_equal(together[i, shared], alone[shared])
    apart = [feature.name for feature in FEATURES if not feature.shared]
    assert {"bi_encoder", "characters", "is_personal", "nbest_rank", "failed_before"} <= set(apart)
    assert not np.array_equal(together[0], together[1])
