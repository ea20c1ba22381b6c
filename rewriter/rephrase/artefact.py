"""The folder of a trained rephrase model: graph, weights, tokenizer, decision and a card for people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save
from tokenizers import Tokenizer

from rewriter.bert.onnx import example_batch, export_int8
from rewriter.bert.pretrained import file_sha256, load_pretrained
from rewriter.rephrase.calibration import Calibration
from rewriter.rephrase.decision import RephraseDecision
from rewriter.rephrase.log import Records
from rewriter.rephrase.markers import NAMES
from rewriter.rephrase.meaning import SENTENCES
from rewriter.rephrase.model import SpanModel
from rewriter.rephrase.train import Judged
from rewriter.rephrase.usual import Usual
from rewriter.retrieval.model import BiEncoder, save_onnx
from rewriter.settings import Settings

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("start_logits", "end_logits")


def write_sentences(settings: Settings, folder: Path) -> None:
    """Write the encoder as it is, for sentence vectors, and its tokenizer (see `rewriter.rephrase.meaning`)."""
    encoder, tokenizer = load_pretrained(settings.train.encoder, settings.seed)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_onnx(BiEncoder(encoder), folder / SENTENCES)


def write_model(model: SpanModel, tokenizer: Tokenizer, settings: Settings, folder: Path) -> None:
    """Write weights, int8 graph, configuration and tokenizer, and a decision that is not calibrated yet."""
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = {name: tensor.contiguous() for name, tensor in sorted(model.state_dict().items())}
    (folder / "model.safetensors").write_bytes(save({name: tensor.float() for name, tensor in weights.items()}))
    config = model.encoder.config.to_dict()
    config["rephrase_markers"] = list(NAMES)
    config.pop("_name_or_path", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True, default=str) + "\n", "utf-8")
    # The evidence is added to the spans' scores after the graph.
    export_int8(model, example_batch(len(INPUTS)), INPUTS, OUTPUTS, folder / "model.onnx")
    _decision(Judged(Calibration(1.0, 0.0), 0.5, 0.0, {}), Usual(), Records(True, True), settings, "uncalibrated").write(
        folder
    )


def _decision(judged: Judged, usual: Usual, records: Records, settings: Settings, version: str) -> RephraseDecision:
    rephrase = settings.rephrase
    return RephraseDecision(
        threshold=round(judged.threshold, 6),
        temperature=round(judged.calibration.temperature, 6),
        null_bias=round(judged.calibration.null_bias, 6),
        span_weight=judged.calibration.span_weight,
        skipped_probability=round(judged.skipped_probability, 6),
        usual_failed=usual.failed,
        usual_fine=usual.fine,
        has_intents=records.has_intents,
        has_answers=records.has_answers,
        window_turns=rephrase.window_turns,
        max_length=rephrase.max_length,
        weak_similarity=rephrase.weak_similarity,
        model_version=version,
    )


def write_decision(judged: Judged, usual: Usual, records: Records, settings: Settings, folder: Path) -> RephraseDecision:
    """Write ``decision.json`` of a model judged on held-out labels; its version is a digest of weights and decision.

    ``usual`` is that of the evidence it was judged by, see `rewriter.rephrase.evidence.usual`; ``records`` those of the log.
    """
    made = _decision(judged, usual, records, settings, "")
    digest = hashlib.sha256(json.dumps(asdict(made), sort_keys=True).encode())
    digest.update(file_sha256(folder / "model.safetensors").encode())
    version = f"rephrase-{digest.hexdigest()[:12]}"
    decision = _decision(judged, usual, records, settings, version)
    decision.write(folder)
    return decision
