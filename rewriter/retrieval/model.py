"""The bi-encoder as a torch module: one BERT for both sides, mean pooling, unit length. For training and export only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rewriter.bert.onnx import example_batch, export, export_int8
from rewriter.bert.runtime import Tokens, buckets
from rewriter.bert.training import has_bf16, tensors


class BiEncoder(nn.Module):
    """Maps token ids and mask, int64 (n, length), to vectors of unit length (n, dim).

    References
    ----------
    Karpukhin et al. 2020, *Dense passage retrieval for open-domain question answering*, section 3; here both sides share
    their weights.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = int(encoder.config.hidden_size)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean of the last layer over the tokens, scaled to length 1."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
        return nn.functional.normalize(mean.float(), dim=-1)


def save_onnx(module: BiEncoder, out: Path, *, int8: bool = True) -> Path:
    """Write the module as an ONNX graph with the inputs ``input_ids`` and ``attention_mask`` and the output ``vectors``."""
    write = export_int8 if int8 else export
    return write(module, example_batch(2), ("input_ids", "attention_mask"), ("vectors",), out)


def encode_tokens(module: BiEncoder, tokens: Tokens) -> NDArray[np.float32]:
    """Vectors (n, dim) of token sequences by the torch module as it is, dropout off; its mode is left as it was."""
    training = module.training
    module.eval()
    vectors = np.empty((len(tokens), module.dim), np.float32)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
        for rows in buckets(tokens.lengths):
            ids, mask, _ = tensors(tokens, rows)
            vectors[rows] = module(ids, mask).float().numpy()
    module.train(training)
    return vectors
