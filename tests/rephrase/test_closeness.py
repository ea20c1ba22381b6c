"""How close a later turn comes to a request."""

import numpy as np
import pytest

from rewriter.rephrase.closeness import closeness, value_heard, window_pairs
from rewriter.text import normalise, similarity, sound_similarity

FIRST, SECOND = np.array([0]), np.array([1])
INDIAN = [{"text": "in the in food", "score": 0.5}, {"text": "indian food", "score": 0.2}]


def _pair(log_of, first: dict, second: dict) -> float:
    return float(closeness(log_of([first, second]), FIRST, SECOND)[0])


def test_wording_and_sound_are_those_of_the_shared_text_functions(log_of) -> None:
    a, b = "play the nights", "Play the knights!"
    expected = max(similarity(normalise(a), normalise(b)), sound_similarity(normalise(a), normalise(b)))
    assert _pair(log_of, {"utterance": a}, {"utterance": b}) == pytest.approx(expected)


def test_what_the_recogniser_also_heard_in_either_counts_nearly_as_much(log_of) -> None:
    first = {"utterance": "in the in food", "asr_nbest": INDIAN}
    assert _pair(log_of, first, {"utterance": "indian food"}) == pytest.approx(0.95)
    assert _pair(log_of, {"utterance": "indian food"}, first) == pytest.approx(0.95)
    other = {"utterance": "engine", "asr_nbest": [{"text": "indian food", "score": 0.1}]}
    assert _pair(log_of, first, other) == pytest.approx(0.95)


def test_a_script_without_spaces_is_compared_as_it_is_written(log_of) -> None:
    assert _pair(log_of, {"utterance": "電気をつけて"}, {"utterance": "電気をけして"}) == pytest.approx(4 / 6)


def test_kana_are_as_close_as_their_sounds(log_of) -> None:
    assert _pair(log_of, {"utterance": "ミコ"}, {"utterance": "ミカ"}) == pytest.approx(3 / 4)  # miko and mika
    assert _pair(log_of, {"utterance": "みこ"}, {"utterance": "ミコ"}) == 1.0


def test_slot_values_heard_in_a_misunderstood_request_are_found(log_of) -> None:
    first = {"utterance": "uh could there maybe be some thai place", "intent": "null"}
    second = {"utterance": "thai", "intent": "inform", "slots": {"food": "thai"}}
    assert value_heard(log_of([first, second]), FIRST, SECOND).all()
    assert not value_heard(log_of([{**first, "intent": "inform"}, second]), FIRST, SECOND).any()
    assert not value_heard(log_of([first, {**second, "slots": {"food": "dontcare"}}]), FIRST, SECOND).any()


def test_empty_requests_are_close_to_nothing(log_of) -> None:
    assert _pair(log_of, {"utterance": "", "intent": "null"}, {"utterance": "", "intent": "null"}) == 0.0


def test_pairs_are_those_of_each_window(log_of) -> None:
    log = log_of([{"at_s": 200 if k == 4 else 10 * k} for k in range(5)])
    source, later = window_pairs(log.following)
    assert list(zip(source, later, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
