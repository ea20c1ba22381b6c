"""A ranker of the right shape: the cross-encoder's speed does not depend on what it learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from rewriter.bert.onnx import example_batch, export_int8
from rewriter.bert.pretrained import first_layers, load_pretrained
from rewriter.ranking.combiner import Combiner
from rewriter.ranking.features import CROSS_ENCODER, NAMES
from rewriter.ranking.ranker import CARD
from rewriter.ranking.train import CrossEncoderModule


def cross_encoder(n_layers: int) -> CrossEncoderModule:
    """The pretrained encoder's first layers (0 = all) below a new head."""
    bert, _ = load_pretrained()
    torch.manual_seed(0)
    return CrossEncoderModule(first_layers(bert, n_layers) if n_layers else bert).eval()


def _by_letters(names: tuple[str, ...]) -> dict[str, object]:
    """Weights by which the likest in letters win, and all others are worth reading."""
    weights = np.array([6.0 if name == "characters" else 0.0 for name in names])
    return Combiner(names, np.zeros(len(names)), np.ones(len(names)), weights, -4.0).as_json()


def write_ranker(folder: Path, n_layers: int) -> None:
    """Write what `rewriter.ranking.ranker.load_ranker` reads."""
    _, tokenizer = load_pretrained()
    names = ("input_ids", "attention_mask", "token_type_ids")
    export_int8(cross_encoder(n_layers), example_batch(3), names, ("logit",), folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    card = {"first": _by_letters(NAMES), "full": _by_letters((*NAMES, CROSS_ENCODER.name))}
    (folder / CARD).write_text(json.dumps(card), "utf-8")
