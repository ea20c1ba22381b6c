import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.text import negations, normalise, numbers, similarity, sound_similarity, sounds_of, token_similarity


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Play JAZZ", "play jazz"),
        ("  play \t jazz\n", "play jazz"),
        ("play, jazz!", "play jazz"),
        ("don\u2019t stop", "don't stop"),
        ("'quoted' words'", "quoted words"),
        ("snake_case wi-fi", "snake case wi fi"),
        ("５ ｍｉｎｕｔｅｓ", "5 minutes"),
        ("Café MÜNCHEN", "café münchen"),
        ("Cafe\u0301", "café"),
        ("हिन्दी में गाना बजाओ!", "हिन्दी में गाना बजाओ"),
        ("เปิดเพลง", unicodedata.normalize("NFKC", "เปิดเพลง")),
        ("音楽を、かけて。", "音楽を かけて"),
        (
            "\u0634\u063a\u0651\u0644 \u0645\u0648\u0633\u064a\u0642\u0649\u061f",
            "\u0634\u063a\u0651\u0644 \u0645\u0648\u0633\u064a\u0642\u0649",
        ),
        ("...", ""),
        ("", ""),
    ],
)
def test_a_text_has_one_normal_form(text, normal):
    assert normalise(text) == normal


@given(st.text())
def test_the_normal_form_is_final_and_has_single_inner_spaces(text):
    normal = normalise(text)
    assert normalise(normal) == normal
    assert normal == " ".join(normal.split())


@given(st.text(alphabet=st.characters(categories=("Lu", "Ll", "Lo", "Nd", "Mn", "Mc")), max_size=20))
def test_no_letter_of_any_script_is_lost(text):
    letters = [c for c in unicodedata.normalize("NFKC", text) if c.isalnum() and c != "\u02bc"]  # an apostrophe
    assert sum(c.isalnum() for c in normalise(text)) >= len(letters)


def test_numbers_and_negations_are_found_as_words():
    assert numbers("set 2 timers for ten minutes at 7am someone") == ("2", "ten", "7am")
    assert negations("do not play the nothing song") == {"not"}
    assert not numbers("often listen")


def test_similarities_of_known_pairs():
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert token_similarity("lights off kitchen", "kitchen lights off") == 1.0
    assert sound_similarity("night", "knight") == 1.0
    assert sound_similarity("jazz", "polka") < 0.5


@given(st.text(max_size=15), st.text(max_size=15))
def test_similarities_are_symmetric_and_between_0_and_1(a, b):
    a, b = normalise(a), normalise(b)
    for measure in (similarity, token_similarity, sound_similarity):
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert 0.0 <= measure(a, b) <= 1.0
    assert similarity(a, a) == sound_similarity(a, a) == 1.0


def test_words_without_a_sound_key_stand_for_themselves():
    assert sounds_of("7") == "7"
    assert sound_similarity("गाना बजाओ", "गाना बजाओ") == 1.0
    assert sound_similarity("गाना", "मौसम") < 1.0
