"""The views of a pair, one planted situation each, and how the rules join them."""

import numpy as np
import pytest

from rewriter.odds import logit, sigmoid
from rewriter.rephrase.evidence import (
    BASE,
    TEMPERATURE,
    VIEWS,
    WEIGHTS,
    evidence,
    failed_odds,
    harmless_chance,
    rule_chance,
    rule_weights,
    usual,
    with_usual,
)
from rewriter.rephrase.usual import CALLS_FAILED, UNREAD, Usual

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


def _joint(failed: float, likelier: float, usual: Usual) -> np.ndarray:
    """Chances of (failed, same), (failed, other), (fine, same), (fine, other) of a pair."""
    f, g = usual
    each = [failed * f * likelier, failed * (1 - f), (1 - failed) * g * likelier, (1 - failed) * (1 - g)]
    return np.array(each) / sum(each)


@pytest.mark.parametrize("habits", [Usual(), Usual(0.7, 0.2)])
def test_the_chances_are_those_of_failure_and_meaning_together(log_of, habits: Usual) -> None:
    log = log_of([FAILED, {"utterance": "milk", "intent": "buy", **FINE}])
    views = with_usual(evidence(log, 3, 0.6), log, habits)
    seen = sum(weight * views[0, 0, VIEWS.index(name)] for name, weight in WEIGHTS.items() if name != "usual")
    rephrase, other_failed, harmless, other_fine = _joint(0.9, np.exp(seen + BASE - logit(CALLS_FAILED)), habits)
    odds = np.log(rephrase / (other_failed + other_fine))
    assert rule_chance(log, views)[0].tolist() == pytest.approx([float(sigmoid(odds / TEMPERATURE)), 0.0, 0.0], abs=1e-6)
    assert harmless_chance(log, views)[0].tolist() == pytest.approx([harmless, 0.0, 0.0], abs=1e-6)
    assert (rule_weights() != 0).sum() == len(WEIGHTS)


def test_what_follows_a_request_that_did_not_fail_is_seldom_its_rephrase_where_such_are_seldom_repeated(log_of) -> None:
    log = log_of([{**FAILED, "defect": 0.1}, {"utterance": "play the knight", **FINE}])
    views = evidence(log, 3, 0.6)
    often, seldom = (rule_chance(log, with_usual(views, log, Usual(0.7, fine)))[0, 0] for fine in (0.7, 0.1))
    assert seldom < 0.7 * often


def test_a_likeness_is_not_told_twice_by_the_chance_of_failure_that_owes_to_it(log_of) -> None:
    log = log_of([{**FAILED, "utterance": "play jazz"}, {"utterance": "play jass", **FINE}, {"utterance": "milk", **FINE}])
    alike, unlike = failed_odds(log.defect, evidence(log, 3, 0.6))[0, :2]
    assert unlike == pytest.approx(np.log(9) - Usual().anew)
    assert unlike - alike == pytest.approx(np.log(0.6 / 0.4) - np.log(0.12 / 0.88))  # a quick repeat beside nothing at all


def test_a_likeness_counts_less_beside_the_cosine_that_reads_the_same_words(log_of) -> None:
    log = log_of([FAILED, {"utterance": "play the nights", **FINE}])
    alone, beside = evidence(log, 3, 0.6), evidence(log, 3, 0.6, lambda _, source, later: np.full(len(source), 0.9))
    at = [VIEWS.index("likeness"), VIEWS.index("meaning")]
    assert beside[0, 0, at].tolist() == pytest.approx([alone[0, 0, at[0]] / 2, 1.0])


def test_how_often_a_log_says_things_again_is_estimated_from_its_failures(log_of) -> None:
    rng = np.random.default_rng(5)
    log = log_of([{"user_id": f"u{i // 2}", "defect": 1.0 - i % 2} for i in range(4000)])
    said = rng.random(2000) < 0.6
    views = np.zeros((4000, 3, len(VIEWS)))
    views[..., VIEWS.index("likeness")] = -1.0
    view = rng.normal(np.where(said, 1.0, -1.0))  # whose log-odds are twice itself
    views[::2, 0, VIEWS.index("meaning")] = (2 * view + logit(CALLS_FAILED) + 1.0) / WEIGHTS["meaning"]
    assert usual(log, views).failed == pytest.approx(said.mean(), abs=0.04)


def test_a_log_without_interpretations_is_not_estimated(log_of) -> None:
    alike = {"utterance": "play the nights", "intent": None, "domain": None, "nlu_confidence": None, "defect": 0.9}
    log = log_of([{**alike, "user_id": f"u{i // 2}"} for i in range(100)])
    assert usual(log, evidence(log, 3, 0.6)) == UNREAD
    read = log_of([{**alike, "intent": f"play{i}", "user_id": f"u{i // 2}"} for i in range(100)])
    assert usual(read, evidence(read, 3, 0.6)).failed > 0.5


def test_the_usual_moves_every_turn_that_is_there_and_no_other(log_of) -> None:
    log = log_of([FAILED, FINE])
    less, more = (evidence(log, 3, 0.6, usual=habits) @ rule_weights() for habits in (Usual(), Usual(0.5, 0.5)))
    assert (more - less).ravel().tolist() == pytest.approx([Usual(0.5, 0.5).shift, *[0.0] * 5])
