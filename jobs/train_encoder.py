"""Turns, defects and rephrases to the bi-encoder that retrieves the request that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.command import job_parser, run_main
from jobs.days import select_days
from jobs.encoder_pairs import Examples, examples
from jobs.entries import requests
from jobs.rephrase_threshold import rephrase_threshold
from jobs.session import spark_session
from jobs.storage import read_table, whole_folder
from rewriter.config import read_settings
from rewriter.settings import Settings
from schemas.tables import DEFECTS, REPHRASES, TURNS

EXAMPLE = "--turns log/turns --defects out/tables/defects --rephrases out/tables/rephrases --out out/models/encoder"


def _examples(args: Any, settings: Settings) -> Examples:
    spark = spark_session()
    turns = select_days(read_table(spark, args.turns, TURNS), args.days, settings.evaluate.heldout_share)
    said = requests(turns, read_table(spark, args.defects, DEFECTS), settings.retrieval.max_defect)
    rephrases = read_table(spark, args.rephrases, REPHRASES) if args.rephrases else None
    threshold = rephrase_threshold(args.rephrase_model, settings)[0]
    return examples(turns, said, rephrases, threshold, settings.retrieval.train_corpus)


def _show(step: int, steps: int, loss: float) -> None:
    if step % 25 == 0 or step == steps:
        print(f"  step {step} of {steps}: loss {loss:.3f}", flush=True)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write ``model.onnx``, ``tokenizer.json``, ``encoder.json`` and ``card.md``; returns the counts."""
    parser = job_parser("train_encoder", __doc__, EXAMPLE, days=True)
    parser.add_argument("--turns", type=Path, required=True, help="turns: a folder or one Parquet file")
    parser.add_argument("--defects", type=Path, required=True, help="defects of the turns")
    parser.add_argument("--rephrases", type=Path, help="rephrases of the turns; without them nothing can be tested")
    parser.add_argument("--rephrase-model", type=Path, help="its threshold decides which rephrases count (default 0.5)")
    args = parser.parse_args(argv)
    settings = read_settings(args.config)
    found = _examples(args, settings)
    # Training needs torch, which the other jobs' workers do without.
    from rewriter.bert.pretrained import first_layers, load_pretrained
    from rewriter.retrieval.develop import develop
    from rewriter.retrieval.model import BiEncoder

    encoder, tokenizer = load_pretrained(settings.train.encoder, settings.seed)
    n_layers = settings.retrieval.layers_encoder
    module = BiEncoder(first_layers(encoder, n_layers) if n_layers else encoder).eval()
    with whole_folder(args.out) as folder:
        outcome = develop(module, tokenizer, found.train, found.test, found.corpus, settings, folder, _show)
    print(f"encoder: {outcome.reason}", flush=True)
    return {"pairs": len(found.train), "test": outcome.zero_shot.n, "corpus": len(found.corpus), "kept": outcome.kept}


if __name__ == "__main__":
    run_main(main)
