"""The bi-encoder as a torch module: one BERT for both sides, mean pooling, unit length. For training and export only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rewriter.bert.onnx import example_batch, export, export_int8


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
