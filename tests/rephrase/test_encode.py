"""The model's input: spans point at user turns, and what truncation may cut."""

from pathlib import Path

import numpy as np
import pytest

from rewriter.bert.runtime import load_tokenizer
from rewriter.errors import RewriterError
from rewriter.rephrase.encode import Encoded, encode
from rewriter.rephrase.evidence import evidence
from rewriter.rephrase.log import Log
from rewriter.rephrase.markers import NAMES, marker

ROWS = [
    {"utterance": "play the jazz album", "response": "what will play", "response_status": "fallback", "at_s": 0},
    {"utterance": "play jazz", "barge_in": True, "response": "playing jazz", "at_s": 8},
    {"utterance": "", "response": "", "intent": "null", "at_s": 20},
    {"utterance": "turn the volume on", "at_s": 60},
    {"utterance": "stop", "at_s": 300},
]


def _names(row: list[int], tokenizer) -> list[str]:
    size = tokenizer.get_vocab_size()
    return [f"<{NAMES[i - size]}>" if i >= size else tokenizer.id_to_token(i) for i in row]


def _encode(log: Log, tokenizer, max_length: int = 96) -> Encoded:
    source = np.flatnonzero(log.following > 0)
    return encode(log, source, evidence(log, 3, 0.6)[source], tokenizer, max_length)


def _row(encoded: Encoded, i: int) -> list[int]:
    tokens = encoded.tokens
    return tokens.ids[tokens.starts[i] : tokens.starts[i + 1]].tolist()


def test_each_span_is_the_marker_and_the_tokens_of_its_turn(log_of, tiny_bert: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    log = log_of(ROWS)
    encoded = _encode(log, tokenizer)
    turn = tokenizer.get_vocab_size() + marker("turn")
    for m, source in enumerate(np.flatnonzero(log.following > 0)):
        row = _row(encoded, m)
        for k in range(3):
            if k >= log.following[source]:
                assert encoded.start[m, k] == encoded.end[m, k] == -1
                continue
            span = row[encoded.start[m, k] : encoded.end[m, k] + 1]
            words = tokenizer.encode(log.utterance[source + k + 1], add_special_tokens=False).ids
            assert span[0] == turn
            assert span[3:] == words  # after <turn> <gap> <close>


def test_a_whole_input_reads_as_documented(log_of, tiny_bert: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    log = log_of([{**ROWS[0], "defect": 0.9, "intent": "null"}, {**ROWS[1], "defect": 0.1}])
    encoded = _encode(log, tokenizer)
    first, second = " ".join(_names(_row(encoded, 0), tokenizer)).split(" [SEP]")[:2]
    assert first == ("[CLS] <source> <defect_6> <lost> play the jazz album <status_fallback> <response> what will play")
    assert second.startswith(" <turn> <gap_2> <close_")
    assert second.split("> ", 3)[3].startswith("play jazz <barge_in> <status_ok> ")
    types = encoded.tokens.types
    assert types[: types.argmax()].sum() == 0
    assert types[types.argmax() :].all()
    assert types.argmax() == _row(encoded, 0).index(tokenizer.token_to_id("[SEP]")) + 1


@pytest.mark.parametrize("max_length", [96, 60, 50, 44, 40, 36])
def test_truncation_takes_answers_first_and_never_a_boundary(log_of, tiny_bert: Path, max_length: int) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    long = "play the jazz album and the rock album in the kitchen"
    rows = [{"utterance": long, "response": "what will you play now in the living room please"} for _ in range(4)]
    log = log_of(rows)
    encoded = _encode(log, tokenizer, max_length)
    names = _names(_row(encoded, 0), tokenizer)
    assert len(names) <= max_length
    assert names.count("<turn>") == 3
    assert names[-1] == "[SEP]"
    words = tokenizer.encode(long, add_special_tokens=False).ids
    sizes = []
    for k in range(3):
        span = _row(encoded, 0)[encoded.start[0, k] : encoded.end[0, k] + 1][3:]
        assert len(span) >= 2
        assert span == words[: len(span)]
        sizes.append(len(span))
    if "living" in names or "what" in names:  # an answer is left: then no request was cut
        assert sizes == [len(words)] * 3


def test_the_oldest_answer_goes_first(log_of, tiny_bert: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    rows = [{"utterance": "play jazz", "response": r} for r in ("weather traffic news", "buy milk", "set timer", "stop")]
    log = log_of(rows)
    full = _encode(log, tokenizer).tokens.lengths[0]
    names = _names(_row(_encode(log, tokenizer, int(full) - 3), 0), tokenizer)
    assert "weather" not in names
    assert names.count("timer") == 1


def test_a_length_that_cannot_hold_the_window_is_refused(log_of, tiny_bert: Path) -> None:
    with pytest.raises(RewriterError, match=r"max_length = 12 tokens is too short"):
        _encode(log_of([{"utterance": "play the jazz album"}] * 4), load_tokenizer(tiny_bert), 12)
