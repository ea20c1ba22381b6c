import pytest

from rewriter.errors import RewriterError
from rewriter.evaluation.proxy import interpretation_key, proxy_outcome, proxy_outcomes

PLAY, STOP = "music|play", "music|stop"


@pytest.mark.parametrize(
    ("defective", "own", "later", "candidate", "outcome"),
    [
        (True, STOP, PLAY, PLAY, "win"),
        (True, STOP, PLAY, STOP, "undecided"),
        (True, PLAY, None, PLAY, "undecided"),
        (True, None, None, None, "undecided"),
        (False, PLAY, None, STOP, "loss"),
        (False, PLAY, STOP, STOP, "loss"),
        (False, PLAY, None, PLAY, "tie"),
        (False, PLAY, None, None, "undecided"),
        (False, None, None, PLAY, "undecided"),
    ],
)
def test_the_verdict_follows_the_definition(defective, own, later, candidate, outcome):
    assert proxy_outcome(defective, own, later, candidate) == outcome


def test_many_are_judged_one_by_one():
    assert proxy_outcomes([True, False], [None, PLAY], [PLAY, None], [PLAY, STOP]) == ["win", "loss"]
    with pytest.raises(RewriterError, match=r"\[1, 1, 1, 2\]"):
        proxy_outcomes([True], [None], [None], [PLAY, STOP])


def test_equal_readings_share_a_key_whatever_the_order_and_case_of_slots():
    a = interpretation_key("music", "play", {"song": "Halo", "artist": "Beyonce"})
    b = interpretation_key("music", "play", [("artist", "beyonce"), ("song", "halo")])
    assert a == b
    assert a != interpretation_key("music", "play", {"song": "Halo"})
    assert a != interpretation_key("video", "play", {"song": "Halo", "artist": "Beyonce"})


def test_nothing_understood_has_no_key():
    assert interpretation_key("music", None, {"song": "x"}) is None
