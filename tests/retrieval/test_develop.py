"""The encoder's folder: trained weights only where held-out rephrases say so."""

import dataclasses
import json
from pathlib import Path

import pytest

from rewriter.bert.pretrained import load_pretrained
from rewriter.retrieval.develop import develop
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.model import BiEncoder
from rewriter.retrieval.pairs import Known, Pair
from rewriter.settings import Retrieval, Settings, Train

NOUNS = ["jazz", "rock", "weather", "news", "lights", "timer", "alarm", "music", "video", "album", "snow", "rain"]
VERBS = {"play": "put", "stop": "off", "set": "make", "call": "tell", "order": "phone"}  # and what people say for it
CORPUS = [Known(f"{verb} {noun}", f"{verb}|{noun}", 3) for noun in NOUNS for verb in VERBS]
PAIRS = [
    Pair(f"{said} {noun}", f"{verb} {noun}", f"{verb}|{noun}", "rephrase") for noun in NOUNS for verb, said in VERBS.items()
]
TEST = [
    Pair(f"please {said} {noun}", f"{verb} {noun}", f"{verb}|{noun}", "rephrase")
    for noun in NOUNS[:6]
    for verb, said in VERBS.items()
]
SETTINGS = Settings(
    train=Train(max_steps=40, batch_size=16, learning_rate=2e-3, threads=1), retrieval=Retrieval(max_length=16)
)


def run(tiny_bert: Path, folder: Path, train: list[Pair], test: list[Pair], settings: Settings = SETTINGS):
    folder.mkdir()
    bert, tokenizer = load_pretrained(tiny_bert)
    outcome = develop(BiEncoder(bert).eval(), tokenizer, train, test, CORPUS, settings, folder)
    return outcome, json.loads((folder / "encoder.json").read_text())


def test_training_that_helps_is_kept_with_the_same_bytes_twice(tiny_bert: Path, tmp_path: Path):
    outcome, card = run(tiny_bert, tmp_path / "a", PAIRS, TEST)
    assert outcome.kept
    assert card["metrics"]["trained"]["recall@1"] > card["metrics"]["zero_shot"]["recall@1"]
    assert card["metrics"]["int8"]["recall@1"] == pytest.approx(card["metrics"]["trained"]["recall@1"], abs=0.1)
    assert "trained" in (tmp_path / "a" / "card.md").read_text()
    assert OnnxEncoder(tmp_path / "a").version == card["model_version"]
    run(tiny_bert, tmp_path / "b", PAIRS, TEST)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    ("train", "test", "why"), [(PAIRS[:10], TEST, "only 10 pairs"), (PAIRS, TEST[:5], "Only 5 held-out")]
)
def test_too_little_to_learn_or_to_judge_keeps_the_pretrained_weights_and_says_so(
    tiny_bert: Path, tmp_path: Path, train: list[Pair], test: list[Pair], why: str
):
    outcome, card = run(tiny_bert, tmp_path / "e", train, test)
    untrained, _ = run(tiny_bert, tmp_path / "u", [], [])
    assert not outcome.kept
    assert why in (tmp_path / "e" / "card.md").read_text()
    assert card["metrics"]["trained"] is None
    assert (tmp_path / "e" / "model.onnx").read_bytes() == (tmp_path / "u" / "model.onnx").read_bytes()
    assert not untrained.kept


def test_training_that_finds_less_is_thrown_away(tiny_bert: Path, tmp_path: Path):
    easy = [
        Pair(f"{verb} {noun} {noun}", f"{verb} {noun}", f"{verb}|{noun}", "rephrase") for noun in NOUNS for verb in VERBS
    ]
    wild = dataclasses.replace(SETTINGS, train=dataclasses.replace(SETTINGS.train, learning_rate=0.5))
    outcome, card = run(tiny_bert, tmp_path / "e", PAIRS, easy, wild)
    assert not outcome.kept
    assert card["metrics"]["trained"]["recall@1"] < card["metrics"]["zero_shot"]["recall@1"]
    run(tiny_bert, tmp_path / "u", [], [])
    assert (tmp_path / "e" / "model.onnx").read_bytes() == (tmp_path / "u" / "model.onnx").read_bytes()
