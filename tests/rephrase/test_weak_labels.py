"""The rules of the weak labels, one planted situation each."""

import numpy as np
import pytest

from rewriter.rephrase.closeness import window_matrix
from rewriter.rephrase.weak_labels import KINDS, WeakLabels, weak_labels


def _labels(log_of, *rows: dict) -> WeakLabels:
    log = log_of(list(rows))
    return weak_labels(log, window_matrix(log, 3), weak_similarity=0.55)


def _first(labels: WeakLabels) -> tuple[str, float, list[bool]]:
    return KINDS[labels.kind[0]], float(labels.probability[0]), labels.right[0].tolist()


FAILED = {"utterance": "play the knights", "intent": "null", "response_status": "fallback", "defect": 0.9}
FINE = {"defect": 0.05}


def test_a_failed_request_said_again_is_a_rephrase(log_of) -> None:
    kind, probability, right = _first(_labels(log_of, FAILED, {"utterance": "play the nights", **FINE}))
    assert (kind, right) == ("rephrase", [True, False, False])
    assert 0.8 < probability < 0.9


def test_a_second_attempt_that_fails_too_counts_and_so_does_the_third(log_of) -> None:
    labels = _labels(log_of, FAILED, {**FAILED, "utterance": "play the night"}, {"utterance": "play the nights", **FINE})
    assert _first(labels)[2] == [True, True, False]


@pytest.mark.parametrize(
    ("later", "kind"),
    [
        ({"utterance": "play jazz", "slots": {"genre": "jazz"}}, "repeat_after_success"),
        ({"utterance": "play rock", "slots": {"genre": "rock"}}, "slot_changed"),
        ({"utterance": "turn the volume down please", "intent": "volume"}, "next_goal_same_domain"),
        ({"utterance": "what is the weather", "intent": "weather", "domain": "weather"}, "next_goal"),
    ],
)
def test_after_success_nothing_is_a_rephrase(log_of, later: dict, kind: str) -> None:
    first = {"utterance": "play jazz", "slots": {"genre": "jazz"}, **FINE}
    got, probability, _ = _first(_labels(log_of, first, {**later, **FINE}))
    assert (got, probability) == (kind, 0.0)


def test_an_answer_to_the_assistants_question_is_none(log_of) -> None:
    failed = {**FAILED, "response": "Which room?"}
    kind, probability, _ = _first(_labels(log_of, failed, {"utterance": "bedroom", "intent": "room", **FINE}))
    assert (kind, probability) == ("answer", 0.0)
    kind, _, _ = _first(_labels(log_of, FAILED, {"utterance": "bedroom", "intent": "room", **FINE}))
    assert kind == "moved_on"


def test_turns_outside_the_window_have_no_label(log_of) -> None:
    labels = _labels(log_of, FAILED, {"utterance": "play the nights", "at_s": 60.0, **FINE})
    assert len(labels.source) == 0
    other_user = _labels(log_of, FAILED, {"utterance": "play the nights", "user_id": "v", **FINE})
    assert len(other_user.source) == 0


def test_every_label_has_one_kind_and_no_right_turn_outside_its_window(log_of) -> None:
    rng = np.random.default_rng(0)
    words = ["play", "jazz", "rock", "stop", "lights", "off"]
    rows = [
        {
            "utterance": " ".join(rng.choice(words, 2)),
            "at_s": 30.0 * i,
            "user_id": f"u{i // 7}",
            "defect": float(rng.random()),
        }
        for i in range(70)
    ]
    log = log_of(rows)
    labels = weak_labels(log, window_matrix(log, 3), 0.55)
    assert sum(labels.counts().values()) == len(labels.source) == int((log.following > 0).sum())
    outside = np.arange(1, 4) > log.following[labels.source][:, None]
    assert not (labels.right & outside).any()
    assert labels.right[labels.probability > 0].any(axis=1).all()
    assert (labels.probability[log.defect[labels.source] < 0.2] == 0).all()
