"""What is known about a trained encoder, for machines (``encoder.json``) and people (``card.md``)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewriter.retrieval.recall import Recall


@dataclass(frozen=True)
class Outcome:
    """How training went: recall on held-out days before and after, and of the graph that is served.

    ``kept`` is whether the trained weights are; ``reason`` says why.
    """

    kept: bool
    reason: str
    n_train: dict[str, int]
    n_corpus: int
    steps: int
    zero_shot: Recall
    trained: Recall
    served: Recall

    def metrics(self) -> dict[str, Any]:
        """The figures of ``encoder.json``."""
        return {
            "corpus": self.n_corpus,
            "int8": self.served.as_dict(),
            "pairs": self.n_train,
            "steps": self.steps,
            "trained": self.trained.as_dict() if self.steps else None,
            "trained_weights_kept": self.kept,
            "zero_shot": self.zero_shot.as_dict(),
        }


def model_version(*files: Path) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the files, one after another."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _row(name: str, recall: Recall) -> str:
    return f"| {name} | {recall.at_1:.3f} | {recall.at_10:.3f} |"


def card_text(outcome: Outcome, version: str, dim: int) -> str:
    """The card that people read."""
    pairs = ", ".join(f"{n} {kind}" for kind, n in sorted(outcome.n_train.items())) or "none"
    rows = [_row("pretrained, float", outcome.zero_shot)]
    rows += [_row("trained, float", outcome.trained)] if outcome.steps else []
    rows += [_row("served (int8)", outcome.served)]
    return "\n".join(
        [
            f"# Bi-encoder {version}",
            "",
            f"Maps a request to a vector of {dim} dimensions and length 1: one BERT for both sides, mean pooling.",
            "",
            f"- Weights: {'trained' if outcome.kept else 'pretrained'}. {outcome.reason}",
            f"- Pairs from the log: {pairs}; {outcome.steps} steps.",
            f"- Test: {outcome.zero_shot.n} pairs of the last days that teach (failed request and rephrase as the"
            " detector found them; where these are few, also the recogniser's alternatives), searched among"
            f" {outcome.n_corpus} requests known to succeed before. A hit is the target or its interpretation.",
            "",
            "| encoder | recall@1 | recall@10 |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def write_cards(folder: Path, outcome: Outcome, version: str, dim: int, max_length: int) -> None:
    """Write ``encoder.json`` and ``card.md`` into the folder."""
    card = {
        "dim": dim,
        "max_length": max_length,
        "metrics": outcome.metrics(),
        "model_version": version,
        "pooling": "mean",
    }
    (folder / "encoder.json").write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", "utf-8")
    (folder / "card.md").write_text(card_text(outcome, version, dim), "utf-8")
