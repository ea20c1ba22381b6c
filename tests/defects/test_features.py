import numpy as np
import pytest

from rewriter.defects.features import (
    FEATURES,
    GROUPS,
    RUNTIME_GROUPS,
    feature_columns,
    history_columns,
    log_odds,
    with_history,
)
from rewriter.defects.view import VIEW

LATER = [name for name in VIEW.names if name.startswith("next")]
ANSWERED = ["status", "response", "barge_in", "is_echo", "is_last", "feedback"]


def features(batch, meaning=None):
    return [dict(zip(FEATURES, row, strict=True)) for row in feature_columns(batch, True, meaning)]


def test_following_turns_are_described(view):
    row = features(view({"next_text": "play jazz", "next_status": "fallback", "next_intent": None, "barge_in": True}))[0]
    assert (row["next_word_similarity"], row["next_failed"], row["barge_in"]) == (1, 1, 1)
    assert row["next_doubt"] == pytest.approx(log_odds(np.ones(1))[0])


def test_what_the_log_does_not_say_is_unknown_and_not_zero(view):
    absent = dict.fromkeys(["next_text", "next_status", "next_intent", "asr_confidence", "nbest_margin", "nbest_entropy"])
    row = features(view(absent | {"status": None, "barge_in": None, "is_echo": None}))[0]
    assert all(np.isnan(value) for value in row.values())


def test_no_result_is_half_a_failure(view):
    rows = features(view({"status": "no_result"}, {"status": "ok"}, {"status": "Unsupported"}))
    assert [row["failed_answer"] for row in rows] == [0.5, 0.0, 1.0]


def test_the_confidence_of_a_turn_that_was_not_understood_is_unknown(view):
    lost, sure = features(view({"intent": None, "nlu_confidence": 0.9}, {"nlu_confidence": 0.9}))
    assert np.isnan(lost["nlu_doubt"])
    assert sure["nlu_doubt"] == pytest.approx(np.log(0.1 / 0.9))


def test_no_feature_of_the_run_time_groups_changes_with_the_answer_or_with_what_follows(view, meaning):
    other = dict.fromkeys(LATER + ANSWERED)
    (plain,), (blind,) = features(view(), meaning), features(view(other), meaning)
    early = [name for name in FEATURES if GROUPS[name] in RUNTIME_GROUPS]
    late = [name for name in FEATURES if name not in early]
    np.testing.assert_array_equal([plain[n] for n in early], [blind[n] for n in early])
    assert all(np.isnan(blind[n]) for n in late)
    assert not any(np.isnan(plain[n]) for n in late)


def test_a_turn_is_left_out_of_its_own_history():
    same = history_columns(np.array([True, False]), np.array([1.0, 5.0]), np.array([1.0, 4.0]), base_rate=0.25)
    assert same["history_doubt"] == pytest.approx(log_odds(np.array([0.25, (4 + 4 * 0.25) / (4 + 4)])))
    assert same["rare_wording"] == pytest.approx([0.0, -np.log(5)])


def test_filling_the_history_leaves_the_given_features_alone(view):
    before = feature_columns(view(), True)
    after = with_history(before, {"history_doubt": np.array([0.5]), "rare_wording": np.array([-1.0])})
    assert np.isnan(before[0, FEATURES.index("history_doubt")])
    assert after[0, FEATURES.index("history_doubt")] == 0.5
