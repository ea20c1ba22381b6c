"""From examples to the encoder's folder: train, compare with the pretrained weights, keep the better, export."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from rewriter.bert.training import Progress, reproducible
from rewriter.retrieval.card import Outcome, model_version, write_cards
from rewriter.retrieval.encoder import OnnxEncoder
from rewriter.retrieval.model import BiEncoder, save_onnx
from rewriter.retrieval.pairs import Known, Pair
from rewriter.retrieval.recall import Recall, findable, recall
from rewriter.retrieval.train import Lexicon, train_bi_encoder
from rewriter.settings import Settings

MIN_PAIRS = 50  # fewer teach nothing that the pretrained weights do not know
MIN_TEST = 20  # fewer cannot tell the better weights


def _why_not(n_pairs: int, n_test: int) -> str:
    if n_pairs < MIN_PAIRS:
        return f"The log gives only {n_pairs} pairs ({MIN_PAIRS} are needed), so the weights are as pretrained."
    if n_test < MIN_TEST:
        return f"Only {n_test} held-out pairs ({MIN_TEST} are needed) could judge the training, so it was left out."
    return ""


def _questions(test: Sequence[Pair], limit: int) -> list[Pair]:
    """Held-out rephrases; the recogniser's alternatives join them only where there are too few to judge by."""
    rephrases = [p for p in test if p.kind == "rephrase"]
    return (rephrases if len(rephrases) >= MIN_TEST else list(test))[:limit]


def _verdict(before: Recall, after: Recall) -> str:
    if after.is_at_least(before):
        return "On the held-out days they find at least as much as the pretrained ones."
    return "On the held-out days training found less, so it was thrown away."


def develop(
    module: BiEncoder,
    tokenizer: Tokenizer,
    train: Sequence[Pair],
    test: Sequence[Pair],
    corpus: Sequence[Known],
    settings: Settings,
    folder: Path,
    progress: Progress | None = None,
) -> Outcome:
    """Write ``model.onnx``, ``tokenizer.json``, ``encoder.json`` and ``card.md``; returns how it went.

    The trained weights are kept only if both their recalls on ``test`` are at least those of the pretrained ones. The same
    inputs and settings give the same bytes.
    """
    length, limit = settings.retrieval.max_length, settings.retrieval.test_queries
    asked = _questions(findable(test, corpus), limit)
    texts = [t for p in asked for t in (p.query,)] + [one.text for one in corpus]
    lexicon = Lexicon.of(tokenizer, texts, length)
    reason = _why_not(len(train), len(asked))
    with reproducible(settings.seed, settings.train.threads):
        before = after = recall(asked, corpus, lexicon.vectors(module))
        chosen, steps = module, 0
        if not reason:
            trained = copy.deepcopy(module)
            losses = train_bi_encoder(
                trained,
                tokenizer,
                train,
                corpus,
                settings.train,
                seed=settings.seed,
                steps=settings.retrieval.train_steps,
                max_length=length,
                progress=progress,
            )
            steps = len(losses)
            after = recall(asked, corpus, lexicon.vectors(trained))
            reason = _verdict(before, after)
            chosen = trained if after.is_at_least(before) else module
    save_onnx(chosen.eval(), folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    served = _served_recall(folder, asked, corpus, lexicon, module.dim, length, settings.train.threads)
    counts = dict(Counter(p.kind for p in train))
    outcome = Outcome(chosen is not module, reason, counts, len(corpus), steps, before, after, served)
    version = model_version(folder / "model.onnx", folder / "tokenizer.json")
    write_cards(folder, outcome, version, module.dim, length)
    return outcome


def _served_recall(
    folder: Path, asked: Sequence[Pair], corpus: Sequence[Known], lexicon: Lexicon, dim: int, length: int, threads: int
) -> Recall:
    """Recall of the exported int8 graph, by the very class that serves it."""
    card = {"dim": dim, "max_length": length, "model_version": ""}
    (folder / "encoder.json").write_text(json.dumps(card), "utf-8")
    texts = list(lexicon.rows)
    vectors = OnnxEncoder(folder, threads).encode(texts)
    return recall(asked, corpus, dict(zip(texts, vectors, strict=True)))
