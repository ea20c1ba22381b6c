"""A candidate beside those of its own meaning and against the rest, on a wording of two meanings."""

from __future__ import annotations

from rewriter.decision.candidate import Candidate
from rewriter.ranking.meanings import Standing, kept, meaning_of, standings
from rewriter.retrieval.entries import Entry

REQUEST = "play northern lights"


def candidate(text: str, slot: str, score: float, *, own: bool = False, everybody: bool = True) -> Candidate:
    entry = Entry(text, "en-US", "media", slot, {slot: "northern lights"})
    return Candidate(text, ("global",), entry=entry if everybody else None, own=entry if own else None, bi_encoder=score)


SONG = candidate("play the song northern lights", "song", 0.9)
ON = candidate("put on northern lights", "song", 0.85)
PODCAST = candidate("play the podcast northern lights", "podcast", 0.8, own=True, everybody=False)


def test_wordings_of_one_meaning_are_no_rivals():
    assert standings(REQUEST, (SONG, ON)) == [Standing(0.0, 0.0, 0.0), Standing(0.0, 0.0, 0.0)]


def test_the_users_own_meaning_speaks_for_itself_and_against_the_others():
    assert standings(REQUEST, (SONG, ON, PODCAST)) == [
        Standing(0.8, 0.0, 0.8),
        Standing(0.8, 0.0, 0.8),
        Standing(0.9, 0.8, 0.0),
    ]


def test_another_wording_of_what_the_user_meant_before_is_as_good():
    other = candidate("play podcast northern lights", "podcast", 0.7)
    assert standings(REQUEST, (other, PODCAST))[0].own == 0.8


def test_a_text_that_nobody_knows_is_a_meaning_of_its_own():
    unknown = Candidate("play northern light", ("alternative",), bi_encoder=0.95)
    assert meaning_of(unknown) == "play northern light"
    assert standings(REQUEST, (unknown, SONG)) == [Standing(0.9, 0.0, 0.0), Standing(0.95, 0.0, 0.0)]


def test_kept_counts_the_words_of_the_request_alone():
    assert kept("what's the weather in rome", "what's the weather") == 0.6
    assert kept("", "play") == 0.0
