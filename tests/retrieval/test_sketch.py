"""Sketches of letters and sounds, against plain counts of grams."""

from collections import Counter

import numpy as np
import pytest

from rewriter.retrieval.sketch import DIM, LENGTHS, sketch
from rewriter.text import sounds_of

REQUESTS = [
    "set an alarm for seven", "set an alarm for eleven", "settle arm for seven", "what is the weather in boston",
    "what is the whether in austin", "play beat it", "play beet it", "turn the lights off", "who is the president of france",
]  # fmt: skip


def counts(text: str) -> Counter[str]:
    """Grams of the letters, and of the sounds behind a mark."""
    parts = (("", f" {text} "), ("~", f" {sounds_of(text)} "))
    return Counter(mark + s[i : i + n] for mark, s in parts for n in LENGTHS for i in range(len(s) - n + 1))


def cosine(a: Counter[str], b: Counter[str]) -> float:
    dot = sum(n * b[gram] for gram, n in a.items())
    return dot / np.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))


def test_products_of_sketches_are_near_the_cosines_of_the_grams():
    vectors = sketch(REQUESTS)
    exact = np.array([[cosine(counts(a), counts(b)) for b in REQUESTS] for a in REQUESTS])
    error = vectors @ vectors.T - exact
    assert np.abs(error).max() < 4 / np.sqrt(DIM)  # four standard deviations of a random sign's mean
    assert abs(error.mean()) < 0.03


def test_a_misheard_request_is_nearest_to_what_was_meant():
    known = sketch(["play beat it", "set an alarm for seven", "what is the weather in austin"])
    heard = sketch(["play beet it", "settle arm for seven", "what is the whether in austin"])
    assert (heard @ known.T).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "a", "مرحبا بالعالم", "ein lied für übermorgen"])
def test_every_text_has_a_sketch_of_its_own_of_length_one(text: str):
    alone, among = sketch([text])[0], sketch(["play", text, "stop"])[1]
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(alone, among)
