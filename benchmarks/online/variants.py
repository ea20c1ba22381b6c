"""The pipeline with one part left out: its last stages run again beside a learnt warehouse and publish their own bundle."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rewriter.bert.onnx
import rewriter.retrieval.train
from jobs.plan import PLAN, STAGES, Stage, after, command
from jobs.run import run_stage
from rewriter.config import as_dict, print_settings, read_settings, settings_of


@dataclass(frozen=True)
class Variant:
    """One way to learn and serve.

    Attributes
    ----------
    first
        The first stage that it changes; those that read its outputs run again too. Empty: nothing does.
    settings
        Section -> key -> value, instead of the configuration's.
    without
        An option of the stages' commands that is left out, with its value.
    swap
        (module, name, value): what stands in for a function while the stages run in this process.
    """

    first: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    without: str = ""
    swap: tuple[Any, str, Any] | None = None


def _no_negatives(pairs: list[Any], *_: Any) -> list[list[Any]]:
    return [[] for _ in pairs]


def _in_float(source: str | Path, out: str | Path) -> Path:
    return Path(shutil.copy(source, out))


#: What is measured beside the whole.
VARIANTS: dict[str, Variant] = {
    "whole": Variant(),
    "without hard negatives": Variant("train_encoder", swap=(rewriter.retrieval.train, "hard_negatives", _no_negatives)),
    "without personal": Variant("train_ranker", without="--personal"),
    "without cross-encoder": Variant("train_ranker", {"retrieval": {"k_cross_encoder": 0}}),
    "without sounds and letters": Variant(
        "train_ranker", {"retrieval": {"k_letters": 0}, "decide": {"without_features": ["sound"]}}
    ),
    "without n-best": Variant(
        "train_ranker", {"retrieval": {"k_alternative": 0}, "decide": {"without_features": ["nbest_like", "heard"]}}
    ),
    "in float": Variant("train_encoder", swap=(rewriter.bert.onnx, "quantise", _in_float)),
}


def stages_from(first: str) -> list[Stage]:
    """A stage of the plan and all that need what it makes, in the plan's order; none for an empty name."""
    again: list[Stage] = []
    for stage in PLAN:
        if stage.name == first or {s.name for s in again} & set(after(stage)):
            again.append(stage)
    return again


@contextmanager
def swapped(swap: tuple[Any, str, Any] | None) -> Iterator[None]:
    """The stand-in in its place, and what it stands for back in the end."""
    if swap is None:
        yield
        return
    module, name, value = swap
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def learn(variant: Variant, warehouse: Path, turns: Path, config: Path, out: Path, say: Callable[[str], None]) -> Path:
    """The folder of bundles of a variant; the warehouse stays as it is, since what changes is written anew."""
    again = stages_from(variant.first)
    if not again:
        return warehouse / "bundles"
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-al", f"{warehouse}/.", str(out)], check=True)
    values = as_dict(read_settings(config))
    merged = values | {name: values[name] | dict(part) for name, part in variant.settings.items()}
    changed = out / "settings.toml"
    changed.write_text(print_settings(settings_of(merged, "settings")), "utf-8")
    with swapped(variant.swap):
        for stage in again:
            say(f"  {stage.name}")
            for path in stage.outputs:
                shutil.rmtree(out / path, ignore_errors=True)
            run_stage(stage, _without(variant.without, command(stage, str(turns), str(out), str(changed))))
    return out / STAGES["publish"].output


def _without(option: str, arguments: list[str]) -> list[str]:
    if option not in arguments:
        return arguments
    place = arguments.index(option)
    return arguments[:place] + arguments[place + 2 :]
