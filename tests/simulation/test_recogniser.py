"""The noisy channel: what is heard, how often, and how sure."""

from __future__ import annotations

from random import Random

import pytest

from rewriter.simulation.recogniser import CLEAN, CLEAR, NOISY


def doubtful(world) -> str:
    """A word of the catalogue that is heard right about half the time."""
    words = sorted(world.catalogue.vocabulary())
    return min(words, key=lambda w: abs(world.recogniser.p_heard_right(w) - 0.5))


def test_every_heard_word_is_a_word_of_the_vocabulary(world, turns):
    vocabulary = world.recogniser.vocabulary
    heard = {word for turn in turns for text, _ in turn.heard.nbest for word in text.split()}
    assert len(heard) > 300
    assert heard <= vocabulary


def test_a_word_is_heard_right_as_often_as_its_weight_says(world):
    word, rng, n = doubtful(world), Random(5), 4000
    share = sum(world.recogniser.hear(rng, word, 0, CLEAN).text == word for _ in range(n)) / n
    assert share == pytest.approx(world.recogniser.p_heard_right(word), abs=0.03)


def test_an_error_is_the_nearest_sounding_words_and_recurs(world):
    word, rng = doubtful(world), Random(6)
    wrong = [t for t in (world.recogniser.hear(rng, word, 0, CLEAN).text for _ in range(1000)) if t != word]
    assert set(wrong) <= {other for _, other in world.recogniser.alternatives(word)}
    assert max(wrong.count(w) for w in set(wrong)) > 0.4 * len(wrong)


def test_noise_makes_more_errors_and_speaking_clearly_fewer(world):
    for word in sorted(world.catalogue.vocabulary())[::25]:
        noisy, clean, clear = (world.recogniser.p_heard_right(word, 0, s) for s in (NOISY, CLEAN, CLEAR))
        assert noisy <= clean <= clear


def test_the_nbest_list_begins_with_the_best_and_falls(turns):
    several = 0
    for turn in turns:
        texts, scores = [t for t, _ in turn.heard.nbest], [s for _, s in turn.heard.nbest]
        assert texts[0] == turn.heard.text
        assert scores[0] == turn.heard.confidence
        assert scores == sorted(scores, reverse=True)
        assert len(set(texts)) == len(texts) <= 5
        several += len(texts) > 1
    assert several > 0.2 * len(turns)


def test_the_words_said_are_often_but_not_always_among_the_alternatives(turns):
    misheard = [t for t in turns if t.heard.text != t.said]
    share = sum(t.said in [text for text, _ in t.heard.nbest] for t in misheard) / len(misheard)
    assert 0.1 < share < 0.6


def test_confidence_is_higher_when_heard_right_but_does_not_tell_all(turns):
    right = [t.heard.confidence for t in turns if t.heard.text == t.said]
    wrong = [t.heard.confidence for t in turns if t.heard.text != t.said]
    assert sum(right) / len(right) > sum(wrong) / len(wrong) + 0.1
    assert max(wrong) > min(right)
