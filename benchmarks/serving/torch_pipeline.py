"""What the service is compared with: the same models in torch, the same index, one request after the other.

It encodes the request, searches, and reads candidates by the cross-encoder; nothing else: no HTTP, no guards, no personal
history, no features, no decision log. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.serving.ranker import cross_encoder
from benchmarks.serving.world import LOCALE
from rewriter.bert.pretrained import load_pretrained
from rewriter.retrieval.global_index import GlobalIndex
from rewriter.retrieval.model import BiEncoder


class Pipeline:
    """Float32 models and an index."""

    def __init__(self, bundle: Path, n_layers: int) -> None:
        bert, self.tokenizer = load_pretrained()
        self.tokenizer.enable_padding()
        self.encoder, self.ranker = BiEncoder(bert).eval(), cross_encoder(n_layers)
        self.index = GlobalIndex.load(bundle / "global")

    @torch.inference_mode()
    def best(self, text: str, k: int, n_read: int) -> str:
        """The candidate with the greatest logit among the ``n_read`` nearest of ``k``."""
        ids = torch.tensor([self.tokenizer.encode(text).ids])
        vector = self.encoder(ids, torch.ones_like(ids)).numpy()
        found = [hit.entry.utterance for hit in self.index.search(vector, k, LOCALE)[0]][:n_read]
        pairs = self.tokenizer.encode_batch([(text, other) for other in found])
        inputs = [torch.tensor([getattr(p, name) for p in pairs]) for name in ("ids", "attention_mask", "type_ids")]
        return found[int(self.ranker(*inputs).argmax())]


def main() -> None:
    """Time the requests of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--calls", type=Path, required=True)
    parser.add_argument("--kind", default="full")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--layers", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pipeline, rows = Pipeline(args.bundle, args.layers), []
    texts = [call["utterance"] for call in json.loads(args.calls.read_text("utf-8"))[args.kind][: args.n]]
    for n_read in (3, 10):
        for text in texts[:20]:
            pipeline.best(text, 10, n_read)
        seconds = []
        for text in texts:
            began = time.perf_counter()
            pipeline.best(text, 10, n_read)
            seconds.append(time.perf_counter() - began)
        rows.append(
            {
                "n_read": n_read,
                "n": len(texts),
                "median_ms": 1e3 * float(np.median(seconds)),
                "per_s": len(texts) / sum(seconds),
            }
        )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
