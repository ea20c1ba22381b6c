import pytest

from rewriter.defects.signals import SIGNALS, find_signals, signal_names
from rewriter.settings import Defects

LAST = {"next_text": None, "next_status": None, "next_intent": None, "next_gap_s": None, "is_last": True}
AGAIN = {"next_text": "play jaz", "next_gap_s": 8.0}


@pytest.mark.parametrize(
    ("turn", "names"),
    [
        ({}, []),
        ({"status": "error"}, ["error"]),
        ({"status": "Fallback"}, ["fallback"]),
        ({"status": "unsupported"}, ["unsupported"]),
        ({"status": "no_result"}, ["no_result"]),
        ({"intent": None}, ["not_understood"]),
        ({"intent": "nlu_fallback"}, ["not_understood"]),
        ({"feedback": "negative"}, ["negative_feedback"]),
        ({"feedback": "positive"}, ["positive_feedback"]),
        ({"barge_in": True}, ["barge_in"]),
        ({"barge_in": None}, []),
        ({"nlu_confidence": 0.2}, ["low_confidence"]),
        ({"asr_confidence": 0.1}, ["low_confidence"]),
        (AGAIN, ["quick_repeat"]),
        (AGAIN | {"next_gap_s": 60.0}, []),
        ({"next2_text": "play jazz", "next2_gap_s": 15.0}, ["quick_repeat"]),
        ({"text": "call cathy", "next_text": "kall kathie", "next_gap_s": 5.0}, ["quick_repeat"]),
        (LAST, []),
        (LAST | {"barge_in": True}, ["barge_in", "abandonment"]),
        (LAST | {"status": "fallback"}, ["fallback", "abandonment"]),
        (LAST | {"status": None}, []),
        (LAST | {"status": None, "intent": None}, ["not_understood", "abandonment"]),
    ],
)
def test_each_signal_is_found_by_its_own_evidence_alone(view, turn, names):
    assert signal_names(find_signals(view(turn), Defects(), True)) == [names]


def test_a_log_without_intents_says_nothing_by_leaving_them_out(view):
    assert not find_signals(view({"intent": None}), Defects(), False)["not_understood"][0]


def test_signals_come_in_their_declared_order(view):
    assert tuple(find_signals(view(), Defects(), True)) == tuple(SIGNALS)


def test_the_settings_decide_what_a_quick_repeat_is(view):
    assert not find_signals(view(AGAIN), Defects(quick_repeat_s=5.0), True)["quick_repeat"][0]
    longer = view({"next_text": "play some jazz", "next_gap_s": 8.0})
    assert find_signals(longer, Defects(), True)["quick_repeat"][0]
    assert not find_signals(longer, Defects(repeat_similarity=0.95), True)["quick_repeat"][0]
