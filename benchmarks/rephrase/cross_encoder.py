"""A pairwise BERT cross-encoder trained on the same weak labels: each later turn read beside the source, one at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from benchmarks.rephrase.baselines import Predictions, best_of
from rewriter.bert.onnx import example_batch, export_int8
from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import OnnxModel, Tokens, tokenize_pairs
from rewriter.bert.training import fit, freeze_words, shuffled_batches, tensors
from rewriter.rephrase.calibration import Calibration, best_threshold, calibrate
from rewriter.rephrase.closeness import window_pairs
from rewriter.rephrase.decode import best_turn, probabilities
from rewriter.rephrase.log import Bools, Floats, Ints, Log
from rewriter.rephrase.weak_labels import WeakLabels
from rewriter.settings import Settings

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_LENGTH = 64


class PairModel(torch.nn.Module):
    """Log-odds that the second text says the first again: a linear head over the first token."""

    def __init__(self, encoder: Any, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(int(encoder.config.hidden_size), 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(self.head.weight.shape, generator=generator) * 0.02)
            self.head.bias.zero_()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        """Log-odds, float32 (n,)."""
        types = {"token_type_ids": token_type_ids} if getattr(self.encoder.config, "type_vocab_size", 0) > 1 else {}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **types).last_hidden_state
        odds: torch.Tensor = self.head(hidden[:, 0])
        return odds.float().squeeze(-1)


def pair_tokens(log: Log, source: Ints, later: Ints, tokenizer: Tokenizer) -> Tokens:
    """``[CLS] source [SEP] later [SEP]`` of each pair."""
    return tokenize_pairs(tokenizer, [log.utterance[i] for i in source], [log.utterance[j] for j in later], _LENGTH)


def train(log: Log, labels: WeakLabels, settings: Settings, folder: Path) -> None:
    """Train on every pair of the labels, with as many pairs as the span model reads sources; write the int8 graph."""
    encoder, tokenizer = load_pretrained(settings.train.encoder, settings.seed)
    model = PairModel(encoder, settings.seed)
    freeze_words(model.encoder)
    row, turn = np.nonzero(np.arange(labels.chance.shape[1]) < log.following[labels.source][:, None])
    tokens = pair_tokens(log, labels.source[row], labels.source[row] + 1 + turn, tokenizer)
    wanted = torch.from_numpy(labels.chance[row, turn].astype(np.float32))

    def loss_of(rows: Ints) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(
            model(*tensors(tokens, rows)), wanted[torch.from_numpy(rows)]
        )

    # Three pairs to a source: the same turns are read in as many steps.
    larger = replace(settings.train, batch_size=labels.chance.shape[1] * settings.train.batch_size)
    batches = shuffled_batches(len(tokens), larger.batch_size, settings.seed, tokens.lengths)
    fit(model, batches, loss_of, larger, seed=settings.seed)
    tokenizer.save(str(folder / "tokenizer.json"))
    export_int8(model, example_batch(len(_INPUTS)), _INPUTS, ("odds",), folder / "model.onnx")


class CrossEncoder:
    """A trained cross-encoder with the calibration and the threshold of its held-out weak labels."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self._model, self._tokenizer = OnnxModel(folder), tokenizer
        self.calibration, self.threshold = Calibration(1.0, 0.0), 0.5

    def odds(self, log: Log, source: Ints, window_turns: int) -> Floats:
        """Log-odds of the turns after each source, (m, window_turns); minus infinity where there is none."""
        row, turn = np.nonzero(np.arange(window_turns) < log.following[source][:, None])
        tokens = pair_tokens(log, source[row], source[row] + 1 + turn, self._tokenizer)
        out = np.full((len(source), window_turns), -np.inf)
        for rows, (values,) in self._model.run_all(tokens):
            out[row[rows], turn[rows]] = values
        return out

    def judge(self, log: Log, held: WeakLabels) -> None:
        """Calibrate and choose the threshold of the best expected F1, as the span model does."""
        odds = self.odds(log, held.source, held.chance.shape[1])
        self.calibration = calibrate(odds, held.chance)
        chances = probabilities(odds, self.calibration.temperature, self.calibration.null_bias)
        turn, probability = best_turn(chances, log.following[held.source])
        gain, harm = held.verdict(turn)
        self.threshold = best_threshold(probability, gain, held.expected, harm)[0]

    def predict(self, log: Log, read: Bools, window_turns: int, otherwise: Floats) -> Predictions:
        """The best turn of every source; those not read keep the chance ``otherwise`` (n, w) of the rules, made small."""
        chance = np.minimum(otherwise, 1e-3)
        rows = np.flatnonzero(read)
        chance[rows] = probabilities(
            self.odds(log, rows, window_turns), self.calibration.temperature, self.calibration.null_bias
        )
        source, later = window_pairs(log.following)
        return best_of(log, source, later, chance[source, later - source - 1])
