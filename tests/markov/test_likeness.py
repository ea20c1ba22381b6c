"""How likely the next turn says the same: closer and sooner is likelier."""

from __future__ import annotations

import numpy as np

from rewriter.markov.likeness import likeness

TEXTS = ["play feet it", "play beat it", "what time is it", "write", "right"]


def like(a: int, b: int, gap_s: float) -> float:
    return float(likeness(np.array([a]), np.array([b]), TEXTS, np.array([gap_s]))[0])


def test_close_wordings_are_likelier_than_distant_ones():
    assert like(0, 1, 5.0) > 0.8 > like(0, 2, 5.0)


def test_a_later_turn_is_less_likely_to_say_the_same():
    assert like(0, 1, 3.0) > like(0, 1, 12.0) > like(0, 1, 40.0)


def test_sound_counts_where_letters_differ():
    assert like(3, 4, 5.0) > like(3, 2, 5.0)
    assert like(3, 4, 5.0) > 0.9


def test_rows_keep_their_order_and_none_gives_none():
    both = likeness(np.array([0, 0, 0]), np.array([2, 1, 2]), TEXTS, np.full(3, 5.0))
    assert both[0] == both[2] < both[1]
    assert likeness(np.zeros(0, np.int64), np.zeros(0, np.int64), TEXTS, np.zeros(0)).shape == (0,)
