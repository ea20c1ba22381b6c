"""Fixtures that every part shares: one Spark session, a tiny random BERT, builders of turns."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("REWRITER_DRIVER_MEMORY", "1500m")


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One session for the whole run: starting a second JVM would cost more than most tests."""
    from jobs.session import spark_session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = spark_session("tests")
    yield session
    session.stop()


TINY_WORDS = (
    "a about album alarm and any bank by call chaplin cheap chicago chinese district east expensive food for four "
    "good hour in italian jazz kitchen light lights living list london long main make me minutes moderate music my "
    "navigate news next north of off on order part phone play please put rain remind restaurant rock room set "
    "shopping show snow song south stop street tell ten thai the thirty timer to town traffic turn two video volume "
    "weather west what will"
).split()


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random 2-layer BERT of 32 dimensions and a WordPiece tokenizer, in the Hugging Face layout."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny_bert")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789'"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *TINY_WORDS]
    vocabulary = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder
