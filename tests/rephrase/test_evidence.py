"""The views of a pair, one planted situation each, and how the rules join them."""

import numpy as np
import pytest

from rewriter.odds import sigmoid
from rewriter.rephrase.evidence import (
    USUAL_SHARE,
    USUAL_UNREAD,
    VIEWS,
    WEIGHTS,
    evidence,
    failed_odds,
    log_odds,
    rule_chance,
    rule_weights,
    usual,
)

FAILED = {"utterance": "play the knights", "intent": "null", "response_status": "fallback", "defect": 0.9}
FINE = {"defect": 0.05}


def _views(log_of, *rows: dict) -> dict[str, list[float]]:
    """Each view of the first row and the turns in its window."""
    log = log_of(list(rows))
    views = evidence(log, 3, 0.6)[0, : int(log.following[0])]
    return {name: views[:, k].tolist() for k, name in enumerate(VIEWS)}


def test_likeness_counts_steps_from_the_similarity_that_says_nothing(log_of) -> None:
    views = _views(log_of, {"utterance": "1234567890"}, {"utterance": "1234567890"}, {"utterance": "1234561111"})
    assert views["likeness"] == pytest.approx([0.4 / 0.15, 0.0], abs=1e-9)
    assert views["turns_between"] == [0.0, 1.0]


def test_the_same_words_of_the_assistant_before_both_turns_are_asking_again(log_of) -> None:
    greeting, asked = {"response": "hello"}, {"response": "Which room?"}
    log = log_of([asked, {**FAILED, "response": "Which room?"}, greeting, FINE])
    views = evidence(log, 3, 0.6)[1, :, VIEWS.index("asked_again")]
    assert views.tolist() == [1.0, 0.0, 0.0]
    first = _views(log_of, {**FAILED, "response": "Which room?"}, FINE)
    assert first["asked_again"] == [0.0]  # what was said before the first turn is not known


def test_readings_tell_only_between_turns_that_were_understood(log_of) -> None:
    jazz, rock = {"slots": {"genre": "jazz"}}, {"slots": {"genre": "rock"}}
    assert _views(log_of, jazz, rock, jazz)["other_reading"] == [1.0, 0.0]
    assert _views(log_of, jazz, rock, jazz)["same_answered"] == [0.0, 1.0]
    assert _views(log_of, {**jazz, "response_status": "error"}, jazz)["same_answered"] == [0.0]
    assert _views(log_of, FAILED, rock)["other_reading"] == [0.0]


def test_a_log_without_answers_has_no_unanswered_turn(log_of) -> None:
    assert _views(log_of, FAILED, {"response": ""})["no_answer"] == [1.0]
    assert _views(log_of, {**FAILED, "response": ""}, {"response": ""})["no_answer"] == [0.0]


def test_a_log_of_nothing_but_words_and_times_has_evidence_too(log_of) -> None:
    bare = {"domain": None, "intent": None, "nlu_confidence": None, "response": None, "response_status": None}
    log = log_of([{**bare, "utterance": text} for text in ("play jazz", "play the jazz", "weather")])
    chance = rule_chance(log, evidence(log, 3, 0.6))
    assert chance[0, 0] > chance[0, 1] > 0.0
    assert chance[2].tolist() == [0.0, 0.0, 0.0]


def test_the_chance_is_of_a_rephrase_among_all_that_is_no_harmless_repeat(log_of) -> None:
    log = log_of([FAILED, {"utterance": "milk", "intent": "buy", **FINE}])
    views = evidence(log, 3, 0.6)
    same = 1 / (1 + np.exp(-sum(weight * views[0, 0, VIEWS.index(name)] for name, weight in WEIGHTS.items())))
    expected = 0.9 * same / (0.9 * same + 1 - same)
    assert rule_chance(log, views)[0].tolist() == pytest.approx([expected, 0.0, 0.0])
    assert (rule_weights() != 0).sum() == len(WEIGHTS)


def test_a_likeness_is_not_told_twice_by_the_chance_of_failure_that_owes_to_it(log_of) -> None:
    log = log_of([{**FAILED, "utterance": "play jazz"}, {"utterance": "play jass", **FINE}, {"utterance": "milk", **FINE}])
    alike, unlike = failed_odds(log.defect, evidence(log, 3, 0.6))[0, :2]
    assert sigmoid(unlike) == pytest.approx(0.9)
    assert unlike - alike == pytest.approx(np.log(0.6 / 0.4) - np.log(0.12 / 0.88))  # a quick repeat beside nothing at all


@pytest.mark.parametrize("share", [0.05, USUAL_SHARE, 0.6])
def test_how_often_a_log_says_things_again_is_recovered_without_labels(log_of, share: float) -> None:
    rng = np.random.default_rng(5)
    log = log_of([{"user_id": f"u{i // 2}", "defect": 1.0 - i % 2} for i in range(4000)])
    said = rng.random(2000) < share
    view = rng.normal(np.where(said, 1.0, -1.0))  # whose log-odds are twice itself
    views = np.zeros((4000, 3, len(VIEWS)))
    views[::2, 0, VIEWS.index("meaning")] = (2 * view + log_odds(np.array(USUAL_SHARE))) / WEIGHTS["meaning"]
    assert usual(log, views) == pytest.approx(log_odds(said.mean()) - log_odds(np.array(USUAL_SHARE)), abs=0.3)


def test_a_log_without_interpretations_is_not_estimated(log_of) -> None:
    alike = {"utterance": "play the nights", "intent": None, "domain": None, "nlu_confidence": None, "defect": 0.9}
    log = log_of([{**alike, "user_id": f"u{i // 2}"} for i in range(100)])
    assert usual(log, evidence(log, 3, 0.6)) == USUAL_UNREAD
    read = log_of([{**alike, "intent": f"play{i}", "user_id": f"u{i // 2}"} for i in range(100)])
    assert usual(read, evidence(read, 3, 0.6)) > 1.0


def test_a_log_of_a_few_turns_says_nothing_about_the_usual(log_of) -> None:
    log = log_of([{**FAILED, "utterance": "play the nights"}, {"utterance": "play the nights", **FINE}])
    assert abs(usual(log, evidence(log, 3, 0.6))) < 0.3


def test_the_usual_moves_every_turn_that_is_there_and_no_other(log_of) -> None:
    log = log_of([FAILED, FINE])
    less, more = (evidence(log, 3, 0.6, usual=shift) @ rule_weights() for shift in (0.0, 1.25))
    assert (more - less).ravel().tolist() == pytest.approx([1.25, *[0.0] * 5])
