"""Token tables, batches of similar length and inference without torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.bert.runtime import OnnxModel, Tokens, buckets, load_tokenizer, tokenize, tokenize_pairs
from rewriter.errors import RewriterError


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=12), st.randoms())
def test_padded_rows_are_the_rows_and_zeros(rows: list[list[int]], random: object) -> None:
    chosen = np.array(sorted(range(len(rows)), key=lambda _: random.random())[: max(1, len(rows) // 2)], np.int64)  # type: ignore[attr-defined]
    ids, mask, types = Tokens.of(rows, [[i % 2 for i in row] for row in rows]).padded(chosen)
    for line, row in enumerate(chosen):
        n = len(rows[row])
        assert ids[line, :n].tolist() == rows[row]
        assert types[line, :n].tolist() == [i % 2 for i in rows[row]]
        assert not ids[line, n:].any()
        assert mask[line].tolist() == [1] * n + [0] * (ids.shape[1] - n)


@given(st.lists(st.integers(1, 96), min_size=1, max_size=200))
def test_buckets_hold_every_row_once_and_keep_to_the_token_limit(lengths: list[int]) -> None:
    sizes = np.array(lengths, np.int64)
    batches = list(buckets(sizes, tokens_a_batch=256))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(b) == 1 or sizes[b].max() * len(b) <= 256 for b in batches)


def test_long_texts_keep_their_separator(tiny_bert: Path) -> None:
    tokenizer = load_tokenizer(tiny_bert)
    tokens = tokenize(tokenizer, ["play", "play the jazz album in the kitchen"], max_length=5)
    separator = tokenizer.token_to_id("[SEP]")
    assert tokens.lengths.tolist() == [3, 5]
    assert tokens.ids[tokens.starts[1:] - 1].tolist() == [separator, separator]


def test_the_second_text_of_a_pair_has_token_type_one(tiny_bert: Path) -> None:
    tokens = tokenize_pairs(load_tokenizer(tiny_bert), ["play jazz"], ["play rock"], max_length=64)
    assert tokens.types.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_missing_and_broken_files_are_one_line_errors(tmp_path: Path) -> None:
    with pytest.raises(RewriterError, match="no such file"):
        OnnxModel(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(RewriterError, match="not a readable ONNX graph"):
        OnnxModel(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(RewriterError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_the_runtime_loads_neither_torch_nor_transformers() -> None:
    code = "import sys, rewriter.bert.runtime; sys.exit(bool({'torch', 'transformers', 'pyspark'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
