"""The run-time defect model asked online: the same evidence as offline, from one request."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from rewriter.decision.request import Alternative, Interpretation, PreviousTurn, Request
from rewriter.defects.features import FEATURES, feature_columns
from rewriter.defects.model import Calibration, DefectModel
from rewriter.defects.view import VIEW
from rewriter.ranking.doubt import doubt_of, entropy_of, margin_of, spoken
from rewriter.text import similarity

REQUEST = Request(
    "play beet it",
    asr_confidence=0.4,
    nbest=(Alternative("play beet it", 0.6), Alternative("play beat it", 0.3)),
    interpretation=Interpretation("music", "play", {}, 0.3),
    previous_turns=(PreviousTurn("play beats", response_status="no_result"),),
)
REPEAT = similarity("play beet it", "play beats")


def view_of(**columns: object) -> pa.RecordBatch:
    """The turn of REQUEST as Spark prepares it for the offline model."""
    row = {
        "text": "play beet it",
        "intent": "play",
        "asr_confidence": 0.4,
        "nlu_confidence": 0.3,
        "nbest_margin": 0.3,
        "nbest_entropy": -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)),
        "prev_text": "play beats",
        "prev_status": "no_result",
    }
    return pa.RecordBatch.from_pylist([dict.fromkeys(VIEW.names) | row | columns], schema=VIEW)


def model(**weights: float) -> DefectModel:
    told = tuple(weights.get(name, 0.0) for name in FEATURES)
    calibration = Calibration(mean=0.5, spread=2.0, centre=-1.0, width=1.5)
    return DefectModel("agreement", 0.1, "nlu", (0.0,) * len(FEATURES), (1.0,) * len(FEATURES), told, runtime=calibration)


def test_the_evidence_is_that_of_the_offline_model():
    offline = dict(zip(FEATURES, feature_columns(view_of(), has_intents=True)[0].tolist(), strict=True))
    told = spoken(REQUEST, REPEAT)
    assert told == pytest.approx({name: offline[name] for name in told}, rel=1e-6)
    unsaid = set(FEATURES) - set(told)
    assert {"rare_wording", "history_doubt", "previous_misfit"} < unsaid


def test_evidence_that_nobody_gave_is_unknown():
    assert all(math.isnan(value) for value in spoken(Request("play beet it"), math.nan).values())


@pytest.mark.parametrize(("status", "degree"), [("error", 1.0), ("Fallback", 1.0), ("no_result", 0.5), ("ok", 0.0)])
def test_the_previous_answer_counts_by_its_status(status: str, degree: float):
    assert (
        spoken(Request("x", previous_turns=(PreviousTurn("y", response_status=status),)), 0.0)["previous_failed"] == degree
    )


def test_weighted_evidence_becomes_log_odds():
    by_hand = -1.0 + 1.5 * (2.0 * 0.6 - 0.5) / 2.0  # asr_doubt 0.6 of weight 2
    assert doubt_of(REQUEST, model(asr_doubt=2.0), REPEAT) == pytest.approx(by_hand)


def test_a_request_that_nlu_understood_nothing_of_starts_from_a_likely_failure():
    lost = Request("play beet it", interpretation=Interpretation("music", "null", {}, 0.3))
    assert doubt_of(lost, model(asr_doubt=2.0)) > 2.0
    assert doubt_of(Request("play beet it"), model(asr_doubt=2.0)) < 0.0


def test_what_follows_the_answer_has_no_say():
    said_again = model(next_word_similarity=5.0, failed_answer=5.0, barge_in=5.0)
    assert doubt_of(REQUEST, said_again, REPEAT) == doubt_of(REQUEST, model(), REPEAT)


def test_without_a_model_that_weighs_evidence_it_is_unknown():
    assert math.isnan(doubt_of(REQUEST, None))
    assert math.isnan(doubt_of(REQUEST, DefectModel("rules", 0.1)))


def test_scores_of_hypotheses_need_two_of_them():
    assert math.isnan(margin_of([0.5]))
    assert math.isnan(margin_of([0.5, None]))
    assert math.isnan(entropy_of([0.5, 0.0, None]))
    assert entropy_of([2.0, 2.0, 2.0, 2.0]) == pytest.approx(np.log(4))
