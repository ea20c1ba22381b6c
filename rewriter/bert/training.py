"""The training loop that every model shares: by steps, with fixed seeds and threads, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from rewriter.bert.runtime import Tokens
from rewriter.errors import RewriterError
from rewriter.settings import Train

Batch = TypeVar("Batch")
Progress = Callable[[int, int, float], None]

WARM_UP = 0.1  # of the steps
WEIGHT_DECAY = 0.01
MAX_NORM = 1.0
HEAD_RATE = 10.0  # a new head starts from noise and may move faster than the pretrained layers


def has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; elsewhere bf16 is slower than fp32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def reproducible(seed: int, threads: int) -> Iterator[None]:
    """Fixed seed, thread count and deterministic kernels inside the block; the caller's settings after it."""
    before, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            torch.use_deterministic_algorithms(deterministic)


def tensors(tokens: Tokens, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and token types of the rows, each int64 (len(rows), longest)."""
    ids, mask, types = tokens.padded(rows)
    return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(types)


def shuffled_batches(
    n: int, batch_size: int, seed: int, lengths: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one batch after another, without end, every row once an epoch.

    With ``lengths``, rows of similar length share a batch (pools of 20 batches are sorted), which saves padding.
    The last rows of an epoch that fill no batch are left out, unless there are fewer rows than one batch.

    Raises
    ------
    RewriterError
        If there are no rows.
    """
    if n == 0:
        raise RewriterError("no examples to train on")
    size = min(batch_size, n)
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(n)
        if lengths is not None:
            pools = [order[i : i + 20 * size] for i in range(0, n, 20 * size)]
            order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        starts = rng.permutation(n // size) * size
        for start in starts:
            yield order[start : start + size]


def _groups(module: torch.nn.Module, learning_rate: float) -> list[dict[str, object]]:
    """Parameter groups: pretrained (below ``encoder.``) or new, with or without weight decay."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": learning_rate * (1.0 if pretrained else HEAD_RATE),
            "weight_decay": WEIGHT_DECAY if decays else 0.0,
        }
        for (pretrained, decays), parameters in groups.items()
    ]


def freeze_words(encoder: torch.nn.Module) -> None:
    """Keep the word embeddings as they are: half the parameters of a small encoder, and most of them never seen."""
    embeddings = encoder.get_input_embeddings()  # type: ignore[operator]
    embeddings.weight.requires_grad_(False)


def fit(
    module: torch.nn.Module,
    batches: Iterable[Batch],
    loss_of: Callable[[Batch], torch.Tensor],
    train: Train,
    *,
    seed: int,
    steps: int | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Train the module in place and return the loss of each step.

    Parameters
    ----------
    module
        Parameters below its attribute ``encoder`` learn at ``train.learning_rate``, others ten times as fast; those with
        ``requires_grad`` off stay (see `freeze_words`).
    batches
        One a step, e.g. from `shuffled_batches`; an iterable that ends early ends the training.
    loss_of
        Scalar loss of a batch; runs under bf16 autocast where the CPU has it. Compute log-softmax in ``.float()``.
    steps
        Default and upper limit ``train.max_steps``. The rate rises over the first tenth and then falls linearly to zero.
    progress
        Called after each step with (step from 1, steps, loss).

    Raises
    ------
    RewriterError
        If the loss is not finite, naming the step.
    """
    total = max(1, min(steps or train.max_steps, train.max_steps))
    losses: list[float] = []
    with reproducible(seed, train.threads):
        module.train()
        optimiser = torch.optim.AdamW(_groups(module, train.learning_rate), fused=True)
        warm = max(1, round(WARM_UP * total))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min((step + 1) / warm, (total - step) / max(1, total - warm + 1))
        )
        for step, batch in zip(range(1, total + 1), batches, strict=False):
            losses.append(_step(module, batch, loss_of, optimiser))
            schedule.step()
            if not np.isfinite(losses[-1]):
                raise RewriterError(
                    f"training diverged: the loss of step {step} is {losses[-1]}; lower [train] learning_rate"
                )
            if progress is not None:
                progress(step, total, losses[-1])
        module.eval()
    return losses


def _step(
    module: torch.nn.Module, batch: Batch, loss_of: Callable[[Batch], torch.Tensor], optimiser: torch.optim.Optimizer
) -> float:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bf16()):
        loss = loss_of(batch)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for p in module.parameters() if p.grad is not None], MAX_NORM)
    optimiser.step()
    return float(loss.detach())
