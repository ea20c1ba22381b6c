import pytest

from rewriter.defects.rules import (
    ANSWERED,
    BASE,
    CEILING,
    EVEN,
    FLOOR,
    explicit_bounds,
    rule_probability,
)
from rewriter.defects.signals import EXPLICIT, SIGNALS, find_signals
from rewriter.odds import logit, sigmoid
from rewriter.settings import Defects


def judge(batch, hidden=""):
    return rule_probability(batch, find_signals(batch, Defects(), True), hidden)


@pytest.mark.parametrize("name", ["error", "fallback", "unsupported", "no_result"])
def test_a_signal_alone_gives_the_documented_chance(view, name):
    assert judge(view({"status": name}))[0] == pytest.approx(SIGNALS[name])


def test_a_plain_turn_is_probably_fine_and_an_answered_one_more_so(view):
    silent, answered = judge(view({"status": None}, {}))
    assert silent == pytest.approx(BASE)
    assert answered == pytest.approx(sigmoid(logit(BASE) + ANSWERED))


def test_signals_add_up_in_log_odds(view):
    both = judge(view({"status": "fallback", "barge_in": True}))[0]
    assert logit(both) == pytest.approx(logit(0.75) + logit(0.30) - logit(BASE))


def test_positive_feedback_speaks_against_a_defect(view):
    plain, praised = judge(view({"status": "fallback"}, {"status": "fallback", "feedback": "positive"}))
    assert praised < 0.5 < plain


def test_lower_nlu_confidence_means_more_doubt(view):
    p = judge(view(*({"nlu_confidence": c} for c in (0.95, 0.7, 0.4, 0.1))))
    assert list(p) == sorted(p)
    assert p[0] < 0.1 < 0.4 < p[-1]


def test_the_confidence_of_a_null_intent_is_not_read_as_success(view):
    sure, unsure = judge(view({"intent": None, "nlu_confidence": 0.99}, {"intent": None, "nlu_confidence": None}))
    assert sure == pytest.approx(unsure)
    assert sure > 0.5


def test_a_hidden_group_does_not_speak(view):
    batch = view({"status": "fallback"}, {"status": None})
    failed, silent = judge(batch, "status")
    assert failed == pytest.approx(silent)
    understood, lost = judge(view({"nlu_confidence": 0.9}, {"intent": None}), "nlu")
    assert understood == pytest.approx(lost)


def test_only_what_was_stated_outright_bounds_a_model(view):
    turns = {"status": "error"}, {"intent": None}, {"status": "error", "feedback": "positive"}, {"feedback": "negative"}
    least, most = explicit_bounds(find_signals(view(*turns), Defects(), True))
    assert list(least) == [EVEN, FLOOR, FLOOR, SIGNALS["negative_feedback"]]
    assert list(most) == [CEILING, CEILING, SIGNALS["positive_feedback"], CEILING]
    assert "not_understood" not in EXPLICIT
