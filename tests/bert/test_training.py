"""The shared training loop: it learns, repeats exactly, and leaves alone what is frozen."""

import dataclasses
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from rewriter.bert.pretrained import load_pretrained
from rewriter.bert.runtime import Tokens
from rewriter.bert.training import fit, freeze_words, shuffled_batches, tensors
from rewriter.errors import RewriterError
from rewriter.settings import Train

TRAIN = Train(max_steps=60, batch_size=8, learning_rate=1e-3, threads=1)


class Classifier(torch.nn.Module):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.encoder, _ = load_pretrained(folder, seed=1)
        self.head = torch.nn.Linear(32, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]).float()


def _trained(folder: Path, progress: object = None) -> tuple[Classifier, list[float]]:
    rng = np.random.default_rng(0)
    rows = [[2, int(rng.choice([60, 80])), *rng.integers(60, 90, 3).tolist(), 3] for _ in range(64)]
    labels = torch.tensor([int(row[1] > 74) for row in rows])
    tokens = Tokens.of(rows)
    module = Classifier(folder)
    freeze_words(module.encoder)

    def loss_of(batch: np.ndarray) -> torch.Tensor:
        ids, mask, _ = tensors(tokens, batch)
        return torch.nn.functional.cross_entropy(module(ids, mask), labels[torch.from_numpy(batch)])

    return module, fit(module, shuffled_batches(64, 8, 3), loss_of, TRAIN, seed=5, progress=progress)  # type: ignore[arg-type]


def test_a_planted_rule_is_learnt_and_words_stay_frozen(tiny_bert: Path) -> None:
    before = load_pretrained(tiny_bert, seed=1)[0].get_input_embeddings().weight.clone()
    seen: list[tuple[int, int]] = []
    module, losses = _trained(tiny_bert, lambda step, total, loss: seen.append((step, total)))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert torch.equal(module.encoder.get_input_embeddings().weight, before)
    assert seen == [(i, 60) for i in range(1, 61)]
    assert not module.training


def test_training_twice_gives_the_same_weights_whatever_the_callers_seed(tiny_bert: Path) -> None:
    torch.manual_seed(1)
    first, _ = _trained(tiny_bert)
    torch.manual_seed(2)
    threads = torch.get_num_threads()
    second, _ = _trained(tiny_bert)
    assert torch.get_num_threads() == threads
    for (name, a), b in zip(first.encoder.state_dict().items(), second.encoder.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_an_epoch_holds_every_row_once_and_similar_lengths_share_batches() -> None:
    lengths = np.random.default_rng(0).integers(5, 90, 96)
    batches = list(islice(shuffled_batches(96, 8, 1, lengths), 12))
    assert sorted(np.concatenate(batches).tolist()) == list(range(96))
    spread = np.mean([np.ptp(lengths[b]) for b in batches])
    assert spread < 0.3 * np.mean([np.ptp(lengths[b]) for b in islice(shuffled_batches(96, 8, 1), 12)])


def test_no_examples_and_a_diverging_loss_are_named() -> None:
    with pytest.raises(RewriterError, match="no examples"):
        next(shuffled_batches(0, 8, 0))
    module = torch.nn.Linear(1, 1)
    with pytest.raises(RewriterError, match="loss of step 1 is inf"):
        fit(module, [torch.ones(1)], lambda x: module(x).sum() * torch.inf, dataclasses.replace(TRAIN, max_steps=3), seed=0)
