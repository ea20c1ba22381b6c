"""What the log says about a candidate."""

from __future__ import annotations

import pytest

from rewriter.decision.candidate import Candidate
from rewriter.evaluation.win_loss import Outcome
from rewriter.ranking.labels import Past, label_of, outcome_of, weight_of
from rewriter.retrieval.entries import Entry

BEAT_IT, BAD = "music|play|song=beat it", "music|play|song=bad"
RESOLVED = Past(True, False, None, BEAT_IT, "play beat it", "music")
GIVEN_UP = Past(True, False, None, None, "", "music")
WORKED = Past(False, True, BAD, None, "", "music", text="please play bad")
NEWS = Past(True, False, None, "news|query", "any news on the election", "news")


def known(text: str, song: str) -> Candidate:
    return Candidate(text, ("global",), entry=Entry(text, "en-US", "music", "play", {"song": song}))


def no_slots(text: str) -> Candidate:
    return Candidate(text, ("global",), entry=Entry(text, "en-US", "news", "query", {}))


UNCLEAR = Past(False, False, BAD, None, "", "music")


HEARD_WELL = Past(True, False, None, BEAT_IT, "play beat it", "music", text="play beat i")
LIGHT = Past(True, False, None, "home|off", "turn off the light", "home", text="turn of night")


def unread(text: str) -> Candidate:
    """Said with success by others, and never read by NLU."""
    return Candidate(text, ("global",), entry=Entry(text, "en-US", None, None, {}, 9, 0, 9, 0.0))


def unknown(text: str) -> Candidate:
    return Candidate(text, ("alternative",))


UNKNOWN = unknown("play bat it")


@pytest.mark.parametrize(
    ("past", "candidate", "outcome", "label"),
    [
        (RESOLVED, known("put on beat it", "Beat It"), Outcome.WIN, 1),
        (RESOLVED, Candidate("play beat it", ("alternative",)), Outcome.WIN, 1),
        (RESOLVED, known("play bad", "bad"), Outcome.UNDECIDED, 0),
        (RESOLVED, UNKNOWN, Outcome.UNDECIDED, 0),
        (RESOLVED, unknown("please play beat it"), Outcome.UNDECIDED, 1),
        (RESOLVED, unknown("pray bead it"), Outcome.UNDECIDED, 0),
        (HEARD_WELL, unknown("uh play beat it"), Outcome.UNDECIDED, 0),
        (LIGHT, unknown("turn off the lite"), Outcome.UNDECIDED, 1),
        (LIGHT, unknown("do not turn off the light"), Outcome.UNDECIDED, 0),
        (LIGHT, unknown("turn off the light two"), Outcome.UNDECIDED, 0),
        (LIGHT, unread("turn off the lite"), Outcome.UNDECIDED, 0),
        (RESOLVED, unknown("oh well let me hear beat it once more"), Outcome.UNDECIDED, 0),
        (NEWS, unknown("any news on the selection"), Outcome.UNDECIDED, 1),
        (GIVEN_UP, unknown("play bat it"), Outcome.UNDECIDED, None),
        (NEWS, no_slots("some news on the elections"), Outcome.WIN, 1),
        (NEWS, no_slots("what happened in boston"), Outcome.WIN, None),
        (GIVEN_UP, known("play bad", "bad"), Outcome.UNDECIDED, None),
        (WORKED, known("put on bad", "bad"), Outcome.TIE, None),
        (WORKED, known("play beat it", "beat it"), Outcome.LOSS, 0),
        (WORKED, UNKNOWN, Outcome.LOSS, 0),
        (WORKED, unknown("please play bat"), Outcome.LOSS, 0),
        (WORKED, unknown("please play uh bad"), Outcome.LOSS, 0),
        (WORKED, unread("play bad"), Outcome.LOSS, 0),
        (UNCLEAR, known("play beat it", "beat it"), Outcome.UNDECIDED, None),
        (UNCLEAR, UNKNOWN, Outcome.UNDECIDED, None),
    ],
)
def test_outcome_and_label(past, candidate, outcome, label):
    assert outcome_of(past, candidate) is outcome
    assert label_of(past, candidate) == label


def test_the_users_own_reading_counts_where_the_global_index_knows_none():
    own = Entry("put on beat it", "en-US", "music", "play", {"song": "beat it"})
    assert outcome_of(RESOLVED, Candidate("put on beat it", ("personal",), own=own)) is Outcome.WIN


def test_labels_count_as_far_as_the_rephrase_behind_them_is_sure():
    doubtful = Past(True, False, None, BEAT_IT, "play beat it", "music", p_later=0.25)
    assert (weight_of(doubtful), weight_of(RESOLVED), weight_of(WORKED)) == (0.25, 1.0, 1.0)
