"""The rules of the weak labels, one planted situation each."""

import numpy as np
import pytest

from rewriter.rephrase.evidence import evidence, rule_chance
from rewriter.rephrase.weak_labels import KINDS, WeakLabels, take, weak_labels


def _labels(log_of, *rows: dict) -> WeakLabels:
    log = log_of(list(rows))
    return weak_labels(log, evidence(log, 3, 0.6))


def _first(labels: WeakLabels) -> tuple[str, list[float]]:
    return KINDS[labels.kind[0]], labels.chance[0].tolist()


FAILED = {"utterance": "play the knights", "intent": "null", "response_status": "fallback", "defect": 0.9}
FINE = {"defect": 0.05}


def test_a_failed_request_said_again_is_a_rephrase(log_of) -> None:
    kind, chance = _first(_labels(log_of, FAILED, {"utterance": "play the nights", **FINE}))
    assert kind == "rephrase"
    assert 0.5 < chance[0] < 0.99
    assert chance[1:] == [0.0, 0.0]


def test_every_attempt_has_a_chance_of_its_own(log_of) -> None:
    labels = _labels(log_of, FAILED, {**FAILED, "utterance": "play the night"}, {"utterance": "play the nights", **FINE})
    assert min(labels.chance[0, :2]) > 0.5
    assert labels.probability[0] == max(labels.chance[0])


@pytest.mark.parametrize(
    ("later", "kind"),
    [
        ({"utterance": "play jazz", "slots": {"genre": "jazz"}}, "repeat_after_success"),
        ({"utterance": "play jass", "slots": {"genre": "rock"}}, "slot_changed"),
        ({"utterance": "turn the volume down please", "intent": "volume"}, "next_goal_same_domain"),
        ({"utterance": "what is the weather", "intent": "weather", "domain": "weather"}, "next_goal"),
    ],
)
def test_after_success_nothing_is_a_rephrase(log_of, later: dict, kind: str) -> None:
    first = {"utterance": "play jazz", "slots": {"genre": "jazz"}, **FINE}
    got, chance = _first(_labels(log_of, first, {**later, **FINE}))
    assert got == kind
    assert max(chance) < 0.2


def test_an_answer_to_the_assistants_question_is_none(log_of) -> None:
    failed = {**FAILED, "response": "Which room?"}
    kind, chance = _first(_labels(log_of, failed, {"utterance": "bedroom", "intent": "room", **FINE}))
    assert kind == "answer"
    assert max(chance) < 0.2
    kind, _ = _first(_labels(log_of, FAILED, {"utterance": "bedroom", "intent": "room", **FINE}))
    assert kind == "moved_on"


def test_turns_outside_the_window_have_no_label(log_of) -> None:
    labels = _labels(log_of, FAILED, {"utterance": "play the nights", "at_s": 60.0, **FINE})
    assert len(labels.source) == 0
    other_user = _labels(log_of, FAILED, {"utterance": "play the nights", "user_id": "v", **FINE})
    assert len(other_user.source) == 0


def test_every_label_has_one_kind_and_no_chance_outside_its_window(log_of) -> None:
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
    labels = weak_labels(log, evidence(log, 3, 0.6))
    assert sum(labels.counts().values()) == len(labels.source) == int((log.following > 0).sum())
    outside = np.arange(1, 4) > log.following[labels.source][:, None]
    assert (labels.chance[outside] == 0).all()
    assert (labels.chance[~outside] > 0).all()
    rules = rule_chance(log, evidence(log, 3, 0.6))[labels.source]
    assert (labels.chance >= rules).all()
    assert (labels.chance[:, 1:] == rules[:, 1:]).all()  # what many users said next is told of the next turn alone


def test_labels_can_be_taken_by_rows_or_by_mask(log_of) -> None:
    labels = _labels(log_of, FAILED, {**FAILED, "utterance": "play the night"}, {"utterance": "milk", **FINE})
    some = take(labels, np.array([False, True]))
    assert some.source.tolist() == [1]
    assert (some.chance == take(labels, np.array([1])).chance).all()


def test_a_turn_is_right_wrong_or_a_harmless_repeat() -> None:
    chance, harmless = np.array([[0.75, 0.2], [0.1, 0.0]]), np.array([[0.5, 0.0], [0.9, 0.0]])
    labels = WeakLabels(np.array([3, 5]), chance, harmless, np.zeros(2, np.int64))
    right, wrong = labels.verdict(np.array([1, 0]))
    assert right.tolist() == pytest.approx([0.375, 0.0])
    assert wrong.tolist() == pytest.approx([0.125, 0.0])
    assert labels.expected == pytest.approx(0.375 + 0.01)


def test_what_worked_and_is_said_again_is_harmless(log_of) -> None:
    jazz = {"utterance": "play jazz", "slots": {"genre": "jazz"}}
    worked, failed = (_labels(log_of, {**jazz, "defect": d}, {**jazz, **FINE}).harmless[0] for d in (0.05, 0.99))
    assert worked[0] > 0.3 > failed[0]
    assert worked[1:].tolist() == [0.0, 0.0]
