"""Parts of a request by themselves, in a process pinned to one core. Prints JSON.

The cross-encoder at several depths, its time a candidate; and the floor of the models' arithmetic.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.serving.floor import floor_ms
from benchmarks.serving.ranker import write_ranker
from benchmarks.serving.recall import recall
from benchmarks.serving.vectors import near
from rewriter.bert.runtime import load_tokenizer
from rewriter.ranking.cross_encoder import CrossEncoder
from rewriter.retrieval.encoder import OnnxEncoder

DEPTHS = (1, 2, 3, 6)


def _median_ms(times: Sequence[float]) -> float:
    return 1e3 * float(np.median(times))


def candidate_ms(folder: Path, pairs: Sequence[tuple[str, str]]) -> float:
    """Median milliseconds that the cross-encoder of a folder takes to read a candidate, ten of one request together."""
    model, times = CrossEncoder(folder), []
    for request, candidate in pairs:
        began = time.perf_counter()
        model.scores(request, [candidate] * 10)
        times.append((time.perf_counter() - began) / 10)
    return _median_ms(times)


def encode_ms(encoder: OnnxEncoder, texts: Sequence[str]) -> float:
    """Median milliseconds of a text's vector."""
    times = []
    for text in texts:
        began = time.perf_counter()
        encoder.encode([text])
        times.append(time.perf_counter() - began)
    return _median_ms(times)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of the world: vectors, calls, and what is kept")
    parser.add_argument("--n", type=int, default=200)
    args = parser.parse_args()
    calls = json.loads((args.folder / "calls.json").read_text("utf-8"))["full"][: args.n]
    texts = [call["utterance"] for call in calls]
    pairs = list(pairwise(texts))
    tokenizer = load_tokenizer(args.bundle / "encoder")
    tokens = int(np.median([len(tokenizer.encode(text).ids) for text in texts]))
    of_pairs = int(np.median([len(tokenizer.encode(*pair).ids) for pair in pairs]))
    depths = {}
    for n_layers in DEPTHS:
        folder = args.folder / f"ranker-{n_layers}"
        if not folder.exists():
            folder.mkdir()
            write_ranker(folder, n_layers)
        depths[n_layers] = {"ms": candidate_ms(folder, pairs), "floor_ms": floor_ms(of_pairs, n_layers)}
    encoder = {"ms": encode_ms(OnnxEncoder(args.bundle / "encoder"), texts), "floor_ms": floor_ms(tokens, 6)}
    kept = args.folder / "exact.npz"
    vectors = np.load(args.folder / "vectors.npy", mmap_mode="r")
    found = recall(args.bundle, texts, vectors if kept.exists() else near(vectors), kept)
    print(
        json.dumps(
            {"tokens": tokens, "tokens_of_pairs": of_pairs, "encoder": encoder, "cross_encoder": depths, "index": found}
        )
    )


if __name__ == "__main__":
    main()
