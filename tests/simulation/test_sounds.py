"""Pronunciation and phonetic distance."""

from __future__ import annotations

import pytest

from rewriter.simulation.sounds import distance, outlines, pronounce


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tide", "tied"),
        ("rain", "reign"),
        ("night", "knight"),
        ("sea", "see"),
        ("mail", "male"),
        ("two", "too"),
        ("mix", "mics"),
    ],
)
def test_homophones_are_pronounced_alike(one, other):
    assert pronounce(one) == pronounce(other)


def test_a_changed_voice_is_nearer_than_a_changed_place_and_that_than_another_word():
    beat = pronounce("beat")
    distances = [distance(beat, pronounce(word)) for word in ("beat", "bead", "feet", "mountain")]
    assert distances == sorted(distances)
    assert len(set(distances)) == 4


def test_distance_is_symmetric():
    words = [pronounce(w) for w in ("silver", "shiver", "tide", "thunder", "kitchen", "chicken", "flour", "floor")]
    for a in words:
        for b in words:
            assert distance(a, b) == pytest.approx(distance(b, a))


def test_distance_of_nothing_is_the_cost_of_every_sound():
    assert distance("", "bIt") == pytest.approx(distance("", "b") + distance("", "I") + distance("", "t"))


def test_a_limit_never_changes_a_distance_below_it():
    for a in ("silver", "tide", "beat", "flour"):
        for b in ("shiver", "tied", "feet", "floor", "mountain"):
            exact = distance(pronounce(a), pronounce(b))
            limited = distance(pronounce(a), pronounce(b), most=1.0)
            assert limited == pytest.approx(exact) if exact <= 1.0 else limited > 1.0


def test_an_accent_brings_its_confusions_nearer_and_no_others():
    accent = frozenset({("T", "t")})
    assert distance("TIn", "tIn", accent) < distance("TIn", "tIn")
    assert distance("vAn", "wAn", accent) == distance("vAn", "wAn")


def test_words_one_sound_apart_share_an_outline():
    assert outlines(pronounce("play")) & outlines(pronounce("pay"))
    assert not outlines(pronounce("play")) & outlines(pronounce("thunderstorm"))
