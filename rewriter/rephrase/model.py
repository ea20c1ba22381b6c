"""The span model: a BERT encoder with start and end heads over its last layer, learnt markers, weights of evidence."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer

from rewriter.rephrase.evidence import VIEWS, rule_weights
from rewriter.rephrase.markers import MARKERS

#: Most that a logit may differ from zero for a token that is padding.
_PADDED = -1e4


class SpanModel(torch.nn.Module):
    """Start and end logits of every token; ``evidence`` weighs the views of each turn, beginning with the rules' weights.

    Parameters
    ----------
    encoder
        A BERT-family transformers model that takes ``inputs_embeds``.
    tokenizer
        Its tokenizer; token ids from its size on are markers.
    seed
        Of the heads' first weights.

    References
    ----------
    Wang et al. 2021, Contextual Rephrase Detection for Reducing Friction in Dialogue Systems, EMNLP, section 3.
    """

    def __init__(self, encoder: Any, tokenizer: Tokenizer, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.n_words = tokenizer.get_vocab_size(with_added_tokens=True)
        words = encoder.get_input_embeddings().weight.detach()
        rows = [
            words[torch.tensor(ids)].mean(0)
            if (ids := tokenizer.encode(text, add_special_tokens=False).ids)
            else words.mean(0)
            for _, text in MARKERS
        ]
        generator = torch.Generator().manual_seed(seed)
        start = torch.stack(rows)
        noise = torch.randn(start.shape, generator=generator) * words.std() * 0.5
        self.markers = torch.nn.Embedding(len(MARKERS), start.shape[1])
        self.has_types = getattr(encoder.config, "type_vocab_size", 0) > 1
        self.heads = torch.nn.Linear(int(encoder.config.hidden_size), 2)
        self.evidence = torch.nn.Linear(len(VIEWS), 1, bias=False)
        with torch.no_grad():
            self.markers.weight.copy_(start + noise)
            self.heads.weight.copy_(torch.randn(self.heads.weight.shape, generator=generator) * 0.02)
            self.heads.bias.zero_()
            self.evidence.weight.copy_(torch.from_numpy(rule_weights()).float().unsqueeze(0))

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Start and end logits, each float32 (n, length); padding is minus ten thousand."""
        is_marker = input_ids >= self.n_words
        words = self.encoder.get_input_embeddings()(input_ids.masked_fill(is_marker, 0))
        marks = self.markers((input_ids - self.n_words).clamp(min=0))
        embedded = torch.where(is_marker.unsqueeze(-1), marks, words)
        types = {"token_type_ids": token_type_ids} if self.has_types else {}
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=attention_mask, **types).last_hidden_state
        logits = self.heads(hidden).float() + _PADDED * (1 - attention_mask).unsqueeze(-1)
        return logits[..., 0], logits[..., 1]


def span_scores(
    start_logits: torch.Tensor, end_logits: torch.Tensor, start: torch.Tensor, end: torch.Tensor
) -> torch.Tensor:
    """Torch twin of `rewriter.rephrase.decode.span_scores`: (n, 1 + w), minus infinity where there is no turn."""
    turns = start_logits.gather(1, start.clamp(min=0)) + end_logits.gather(1, end.clamp(min=0))
    null = start_logits[:, :1] + end_logits[:, :1]
    return torch.cat([null, turns.masked_fill(start < 0, -torch.inf)], dim=1)


def rephrase_odds(scores: torch.Tensor, evidence: torch.Tensor, failed: torch.Tensor) -> torch.Tensor:
    """Torch twin of `rewriter.rephrase.decode.rephrase_odds`: (n, w), minus infinity where there is no turn."""
    present = torch.isfinite(scores[:, 1:])
    turns = torch.where(present, scores[:, 1:], torch.zeros_like(scores[:, 1:]))
    same = turns - scores[:, :1] + evidence.squeeze(-1).to(scores.dtype)
    return (same + torch.nn.functional.logsigmoid(failed)).masked_fill(~present, -torch.inf)


def span_loss(odds: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the turns that are there, by their log-odds (n, w); ``chance`` (n, w) by the labels."""
    present = torch.isfinite(odds)
    wanted = chance.to(odds.dtype)[present]
    return torch.nn.functional.binary_cross_entropy_with_logits(odds[present], wanted)
