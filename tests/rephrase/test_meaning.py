"""Sentence vectors for logs without interpretations."""

from pathlib import Path

import numpy as np
import pytest

from rewriter.rephrase.artefact import write_sentences
from rewriter.rephrase.evidence import VIEWS, evidence
from rewriter.rephrase.meaning import has_readings, read_meaning
from rewriter.settings import Settings, Train

BARE = {"domain": None, "intent": None, "nlu_confidence": None}


@pytest.fixture(scope="module")
def folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sentences")
    write_sentences(Settings(train=Train(encoder=str(tiny_bert))), out)
    return out


def test_a_log_has_readings_if_any_turn_was_interpreted(log_of) -> None:
    assert has_readings(log_of([BARE, {}]))
    assert not has_readings(log_of([BARE, {**BARE, "intent": "null"}]))


def test_the_same_words_have_cosine_one_and_others_less_whatever_stands_beside_them(log_of, folder: Path) -> None:
    meaning = read_meaning(folder)
    assert meaning is not None
    texts = ("play jazz", "play jazz", "weather", "play the rock album in the kitchen")
    log = log_of([{**BARE, "utterance": text} for text in texts])
    cosines = meaning(log, np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert cosines[0] == pytest.approx(1.0, abs=1e-5)
    assert (cosines[1:] < cosines[0]).all()
    assert meaning(log, np.array([0]), np.array([2]))[0] == cosines[1]
    assert len(meaning(log, np.zeros(0, np.int64), np.zeros(0, np.int64))) == 0


def test_the_view_is_there_only_with_the_encoder(log_of, folder: Path, tmp_path: Path) -> None:
    log = log_of([{**BARE, "utterance": "play jazz"}] * 2)
    place = VIEWS.index("meaning")
    assert read_meaning(tmp_path) is None
    assert evidence(log, 3, 0.6)[0, 0, place] == 0.0
    assert evidence(log, 3, 0.6, read_meaning(folder))[0, :, place] == pytest.approx([2.0, 0.0, 0.0], abs=1e-4)
