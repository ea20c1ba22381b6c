import numpy as np
import pytest

from rewriter.defects.features import FEATURES, feature_columns, history_columns, with_history
from rewriter.defects.signals import find_signals
from rewriter.settings import Defects


def features(batch):
    matrix = feature_columns(batch, find_signals(batch, Defects(), True), True)
    return [dict(zip(FEATURES, row, strict=True)) for row in matrix]


def test_following_turns_are_described(view):
    row = features(
        view({"next_text": "play jazz", "next_status": "fallback", "next_reading": "music|play|", "next_gap_s": 4.0})
    )[0]
    assert (row["next_word_similarity"], row["same_reading_next"], row["next_failed"], row["next_answered"]) == (1, 1, 1, 0)
    assert row["next_log_gap"] == pytest.approx(np.log(5))


def test_what_the_log_does_not_say_is_unknown_and_not_zero(view):
    row = features(
        view({"next_text": None, "next_status": None, "next_intent": None, "asr_confidence": None, "nbest_margin": None})
    )[0]
    for name in ("next_failed", "next_answered", "next_not_understood", "asr_doubt", "nbest_closeness", "history_rate"):
        assert np.isnan(row[name]), name
    assert row["next_word_similarity"] == 0


def test_the_confidence_of_a_turn_that_was_not_understood_is_unknown(view):
    lost, sure = features(view({"intent": None, "nlu_confidence": 0.9}, {"nlu_confidence": 0.9}))
    assert np.isnan(lost["nlu_doubt"])
    assert sure["nlu_doubt"] == pytest.approx(0.1)


def test_a_turn_is_left_out_of_its_own_history():
    same = history_columns(np.array([True, False]), np.array([1.0, 5.0]), np.array([1.0, 4.0]), base_rate=0.25)
    assert same["history_rate"] == pytest.approx([0.25, (4 + 4 * 0.25) / (4 + 4)])
    assert same["history_log_count"] == pytest.approx([0.0, np.log(5)])


def test_filling_the_history_leaves_the_given_features_alone(view):
    batch = view()
    before = feature_columns(batch, find_signals(batch, Defects(), True), True)
    after = with_history(before, {"history_rate": np.array([0.5]), "history_log_count": np.array([1.0])})
    assert np.isnan(before[0, FEATURES.index("history_rate")])
    assert after[0, FEATURES.index("history_rate")] == 0.5
