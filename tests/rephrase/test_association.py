"""What many users said next after the same failure, against chance."""

import numpy as np
import pytest

from rewriter.rephrase.association import associated
from rewriter.rephrase.evidence import VIEWS, evidence
from rewriter.rephrase.weak_labels import weak_labels

FROZEN = {"utterance": "i am freezing", "intent": "null", "response_status": "fallback", "defect": 0.95}
WARMER = {"utterance": "turn up the heat", "intent": "warmer", "domain": "home", "defect": 0.05}
OTHER = {"utterance": "what is the time", "intent": "time", "domain": "clock", "defect": 0.05}
MUMBLE = {"utterance": "mumble mumble", "intent": "null", "response_status": "fallback", "defect": 0.95}


def _users(*pairs: tuple[dict, dict], first: int = 0) -> list[dict]:
    return [{**turn, "user_id": f"u{first + u:03}"} for u, pair in enumerate(pairs) for turn in pair]


def _sources(log, text: str) -> np.ndarray:
    return np.array([i for i in range(len(log)) if log.text[i] == text])


@pytest.mark.parametrize(("n_users", "expected"), [(2, False), (3, True)])
def test_three_users_make_an_association_and_two_do_not(log_of, n_users: int, expected: bool) -> None:
    rows = _users(*[(FROZEN, WARMER)] * n_users) + _users(*[(MUMBLE, OTHER)] * 20, first=100)
    log = log_of(rows)
    found = associated(log)
    assert found[_sources(log, "i am freezing")].tolist() == [expected] * n_users


def test_one_user_a_hundred_times_is_still_one_user(log_of) -> None:
    again = [{**turn, "user_id": "u0", "at_s": 20.0 * i + 1000 * (i // 2)} for i, turn in enumerate([FROZEN, WARMER] * 50)]
    log = log_of(again + _users(*[(MUMBLE, OTHER)] * 20, first=100))
    assert not associated(log)[_sources(log, "i am freezing")].any()


def test_what_follows_every_failure_is_chance(log_of) -> None:
    kinds = [(FROZEN, OTHER)] * 4 + [({**MUMBLE, "utterance": f"noise {k}"}, OTHER) for k in range(8)] * 3
    log = log_of(_users(*kinds))
    assert not associated(log).any()


def test_turns_that_were_answered_have_no_association(log_of) -> None:
    log = log_of(_users(*[({**FROZEN, "defect": 0.1}, WARMER)] * 9) + _users(*[(MUMBLE, OTHER)] * 20, first=100))
    assert not associated(log)[_sources(log, "i am freezing")].any()
    assert not associated(log_of([OTHER, WARMER])).any()


def test_an_association_makes_a_label_of_entirely_other_words(log_of) -> None:
    log = log_of(_users(*[(FROZEN, WARMER)] * 4) + _users(*[(MUMBLE, OTHER)] * 40, first=100))
    views = evidence(log, 3, 0.6)
    frozen, mumbled = _sources(log, "i am freezing"), _sources(log, "mumble mumble")
    assert views[frozen, 0, VIEWS.index("likeness")].max() < -1.5
    labels = weak_labels(log, views)
    chance = dict(zip(labels.source.tolist(), labels.probability.tolist(), strict=True))
    assert min(chance[i] for i in frozen.tolist()) > 0.2 > max(chance[i] for i in mumbled.tolist())


def test_the_same_interpretation_answered_twice_is_wanted_once_more_whatever_the_defects_say(log_of) -> None:
    quieter = {"utterance": "quieter", "intent": "volume_down", "defect": 0.6}
    log = log_of([quieter, quieter])
    answered = weak_labels(log, evidence(log, 3, 0.6)).probability[0]
    log = log_of([{**quieter, "response_status": "error"}, quieter])
    assert weak_labels(log, evidence(log, 3, 0.6)).probability[0] > 1.4 * answered
