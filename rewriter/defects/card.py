"""The page that lies beside a defect model, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewriter.defects.features import FEATURES, GROUPS
from rewriter.defects.model import DefectModel

_HEAD = """# Defect model {version}

Probability that a turn failed, judged offline: it may look at the turns that follow.

- kept: **{kind}** (`logistic` = the rules and half of the model's evidence; `rules` = the rules alone were as good:
  the lower 95% bound of the gain has to exceed zero; it is {gain})
- trained on {turns:,} turns from {first_day} to {last_day}; of these compared with the rules on {heldout}
- labels: weak, from the log alone. For each group of strong signals (status: error, fallback, unsupported; nlu: nothing
  understood; feedback: negative; repeat: a similar request soon after) a logistic regression predicts them from the soft
  features of all other groups, so that no label is predicted from what made it. Nobody annotated anything.
- limits: a failure that leaves no trace in the log is not seen; a user who repeats for pleasure looks like a failure.
"""


def model_card(model: DefectModel, about: Mapping[str, Any]) -> str:
    """Markdown: what the model was trained on, how it compares with the rules, and its weights."""
    heldout = ", ".join(about["heldout_days"]) or "nothing"
    gain = model.metrics.get("gain_lower", "unknown")
    head = _HEAD.format(version=model.version, kind=model.kind, **{**about, "heldout": heldout, "gain": gain})
    lines = [head, "## Held-out average precision: one group's strong signals told from everything else", ""]
    compared = model.metrics.get("heldout_average_precision", {})
    if compared:
        lines += ["| group | turns | positives | rules | rules and model |", "|---|---|---|---|---|"]
        lines += [
            f"| {g} | {c['n']} | {c['positives']} | {c['rules']:.3f} | {c['model']:.3f} |" for g, c in compared.items()
        ]
    else:
        lines.append(f"Not compared: {model.metrics.get('reason', 'too few weak labels')}.")
    if model.weights:
        lines += ["", "## Weights of the standardised features", "", "| feature | group | weight |", "|---|---|---|"]
        ranked = sorted(zip(FEATURES, model.weights, strict=True), key=lambda pair: -abs(pair[1]))
        lines += [f"| {name} | {GROUPS[name]} | {weight:+.3f} |" for name, weight in ranked]
    return "\n".join(lines) + "\n"
