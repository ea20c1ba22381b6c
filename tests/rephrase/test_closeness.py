"""How close a later turn comes to a request."""

import numpy as np
import pytest

from rewriter.rephrase.closeness import closeness, window_matrix, window_pairs
from rewriter.text import normalise, similarity, sound_similarity


def _pair(log_of, first: dict, second: dict) -> float:
    log = log_of([first, second])
    return float(closeness(log, np.array([0]), np.array([1]))[0])


def test_wording_and_sound_are_those_of_the_shared_text_functions(log_of) -> None:
    a, b = "play the nights", "Play the knights!"
    expected = max(similarity(normalise(a), normalise(b)), sound_similarity(normalise(a), normalise(b)))
    first, second = {"utterance": a, "intent": "null"}, {"utterance": b, "intent": "play"}
    assert _pair(log_of, first, second) == pytest.approx(expected)


def test_what_the_recogniser_also_heard_counts_nearly_as_much(log_of) -> None:
    heard = [{"text": "in the in food", "score": 0.5}, {"text": "indian food", "score": 0.2}]
    first = {"utterance": "in the in food", "asr_nbest": heard, "intent": "null"}
    assert _pair(log_of, first, {"utterance": "indian food", "intent": "find"}) == pytest.approx(0.95)


def test_the_same_interpretation_is_close_and_another_slot_is_not(log_of) -> None:
    slots = {"genre": "jazz"}
    first = {"utterance": "something smooth", "slots": slots}
    assert _pair(log_of, first, {"utterance": "play a jazz record", "slots": slots}) == pytest.approx(0.75)
    assert _pair(log_of, first, {"utterance": "play a jazz record", "slots": {"genre": "rock"}}) < 0.5


def test_slot_values_heard_in_a_misunderstood_request_are_close(log_of) -> None:
    first = {"utterance": "uh could there maybe be some thai place", "intent": "null"}
    second = {"utterance": "thai", "intent": "inform", "slots": {"food": "thai"}}
    assert _pair(log_of, first, second) == pytest.approx(0.7)
    assert _pair(log_of, {**first, "intent": "inform"}, second) < 0.5


def test_empty_requests_are_close_to_nothing(log_of) -> None:
    assert _pair(log_of, {"utterance": "", "intent": "null"}, {"utterance": "", "intent": "null"}) == 0.0


def test_the_matrix_holds_every_pair_of_a_window_and_minus_one_elsewhere(log_of) -> None:
    texts = ["play jazz", "play jaws", "turn it off", "play jazz now", "what time is it"]
    log = log_of([{"utterance": t, "intent": f"i{k}", "at_s": 200 if k == 4 else 10 * k} for k, t in enumerate(texts)])
    matrix = window_matrix(log, 3)
    source, later = window_pairs(log.following)
    assert list(zip(source, later, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert (matrix >= 0).sum() == 6
    assert matrix[1, 1] == closeness(log, np.array([1]), np.array([3]))[0]
    assert (matrix[3:] == -1).all()
