import numpy as np
import pytest

from rewriter.defects.meaning import CONTEXT, ENCODER, load_meaning, swapped_rank


def test_a_rank_is_the_share_of_swapped_answers_that_fit_less_well_and_ties_count_half():
    context = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    swapped = np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8], [0.8, 0.6]], np.float32)
    answers = np.array([[1.0, 0.0], [0.8, 0.6]], np.float32)
    assert swapped_rank(context, answers, swapped) == pytest.approx([(3 + 0.5) / 4, (1 + 0.5) / 4])


def test_an_answer_that_repeats_the_request_fits_better_than_one_of_other_letters(view, meaning):
    fits, fails, none = meaning.misfit(
        view({"response": "jazz play"}, {"response": "qqq"}, {"response": None}), "response", CONTEXT
    )
    assert fits < 0.2 < fails
    assert np.isnan(none)


def test_what_was_said_before_counts_as_context(view, meaning):
    plain = {"text": "bbb", "response": "q"}
    found = meaning.misfit(view(plain, plain | {"prev_response": "qq"}), "response", CONTEXT)
    assert found == pytest.approx([1 / 2, 1 / 6])


def test_each_text_is_encoded_once_and_the_missing_mean_nothing(view, meaning):
    batch = view({"text": "abc"}, {"text": "abd"}, {"text": "abc", "next_text": None})
    before = len(meaning._encoder.encoded)
    vectors = meaning.vectors(batch, "text")
    meaning.vectors(batch, "text")
    assert sorted(meaning._encoder.encoded[before:]) == ["abc", "abd"]
    assert list(vectors[0]) == list(vectors[2]) != list(vectors[1])
    assert not meaning.vectors(batch, "next_text")[2].any()
    assert np.isnan(meaning.similarity(batch, "next_text")[2])


def test_a_complaint_is_told_from_content(view, meaning):
    angry, glad = meaning.complaint(view({"text": "that is wrong"}, {"text": "great thanks"}), "text")
    assert glad < 0 < angry


def test_an_encoder_is_read_back_as_it_was_written(tiny_bert, tmp_path, view):
    from rewriter.defects.prepare import save_meaning

    save_meaning(tmp_path, str(tiny_bert), ["play some jazz", "here is the news", "good morning"])
    assert {p.name for p in (tmp_path / ENCODER).iterdir()} == {"model.onnx", "tokenizer.json", "encoder.json"}
    loaded = load_meaning(tmp_path)
    own = loaded.misfit(view({"response": "play some jazz"}), "response", {"response": 1.0})
    assert own == pytest.approx([1 / 6])  # two answers fit less well, and its own twin as well


def test_a_model_without_answers_has_no_encoder(tmp_path):
    assert load_meaning(tmp_path) is None
