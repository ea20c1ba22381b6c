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
from rewriter.retrieval.encoder import CARD, MODEL, TOKENIZER, OnnxEncoder
from rewriter.retrieval.model import BiEncoder, save_onnx
from rewriter.retrieval.pairs import Known, Pair
from rewriter.retrieval.recall import Recall, findable, recall
from rewriter.retrieval.train import Lexicon, sample, train_bi_encoder
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
    asked = _questions(findable(test, corpus), settings.retrieval.test_queries)
    reason = _why_not(len(train), len(asked))
    steps = 0 if reason else min(settings.retrieval.train_steps, settings.train.max_steps)
    drawn = sample(train, steps * settings.train.batch_size, settings.seed) if steps else []
    texts = [t for p in (*asked, *drawn) for t in (p.query, p.target)] + [one.text for one in corpus]
    lexicon = Lexicon.of(tokenizer, texts, settings.retrieval.max_length)
    with reproducible(settings.seed, settings.train.threads):
        vectors = lexicon.vectors(module)
        before = after = recall(asked, corpus, vectors)
        chosen = module
        if steps:
            trained = copy.deepcopy(module)
            train_bi_encoder(
                trained,
                lexicon,
                drawn,
                corpus,
                settings.train,
                seed=settings.seed,
                vectors=vectors,
                progress=progress,
            )
            asking = lexicon.only([p.query for p in asked] + [one.text for one in corpus])
            after = recall(asked, corpus, asking.vectors(trained))
            reason = _verdict(before, after)
            chosen = trained if after.is_at_least(before) else module
    served = _export(chosen, tokenizer, folder, settings, asked, corpus)
    outcome = Outcome(
        kept=chosen is not module,
        reason=reason,
        n_train=dict(Counter(p.kind for p in train)),
        n_corpus=len(corpus),
        steps=steps,
        zero_shot=before,
        trained=after,
        served=served,
    )
    version = model_version(folder / MODEL, folder / TOKENIZER)
    write_cards(folder, outcome, version, module.dim, settings.retrieval.max_length)
    return outcome


def _export(
    module: BiEncoder, tokenizer: Tokenizer, folder: Path, settings: Settings, asked: Sequence[Pair], corpus: Sequence[Known]
) -> Recall:
    """Write the int8 graph and the tokenizer; returns the recall of that graph by the very class that serves it."""
    save_onnx(module.eval(), folder / MODEL)
    tokenizer.save(str(folder / TOKENIZER))
    card = {"dim": module.dim, "max_length": settings.retrieval.max_length, "model_version": ""}
    (folder / CARD).write_text(json.dumps(card), "utf-8")
    texts = sorted({p.query for p in asked} | {one.text for one in corpus}) if asked else []
    vectors = OnnxEncoder(folder, settings.train.threads).encode(texts)
    return recall(asked, corpus, dict(zip(texts, vectors, strict=True)))
