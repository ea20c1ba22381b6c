"""The encoder of a defect model as ONNX int8, and the answers that it holds others against."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rewriter.bert.pretrained import load_pretrained
from rewriter.defects.meaning import ANSWERS, ENCODER
from rewriter.retrieval.encoder import CARD, MODEL, TOKENIZER, OnnxEncoder
from rewriter.retrieval.model import BiEncoder, save_onnx

#: Tokens of a request or an answer; the end of a longer one says little more about whether it fits.
MAX_LENGTH = 48


def save_meaning(folder: Path, encoder: str, answers: Sequence[str]) -> None:
    """Write what `rewriter.defects.meaning.load_meaning` reads: the encoder as it is, frozen, and the answers' vectors."""
    bert, tokenizer = load_pretrained(encoder)
    module = BiEncoder(bert).eval()
    home = folder / ENCODER
    home.mkdir()
    save_onnx(module, home / MODEL)
    tokenizer.save(str(home / TOKENIZER))
    card = {"dim": module.dim, "max_length": MAX_LENGTH, "model_version": "pretrained", "pooling": "mean"}
    (home / CARD).write_text(json.dumps(card, sort_keys=True, indent=2) + "\n", "utf-8")
    np.save(folder / ANSWERS, OnnxEncoder(home).encode(answers), allow_pickle=False)


def drop_meaning(folder: Path) -> None:
    """Remove what `save_meaning` wrote, for a model that does not need it."""
    shutil.rmtree(folder / ENCODER)
    (folder / ANSWERS).unlink()
