"""The page that lies beside a defect model, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewriter.defects.model import DefectModel

_HEAD = """# Defect model {version}

Probability that a turn failed. Offline it may look at the answer and at the turns that follow; at run time at nothing after
the request.

- kept: **{kind}** ({why})
- anchor: {anchor} (`nlu` = NLU's own confidence, `status` = what the assistant reported, `answer` = how well answers fit,
  against answers swapped in from other dialogues). It says how many turns fail; all groups together say which.
- trained on {turns:,} turns from {first_day} to {last_day}; of these compared with the rules on {heldout}
- labels: none. Nobody annotated anything. A group's weight is its correlation with the weighted sum of all other groups,
  over the turns that NLU understood; a group that disagrees has none. The model is kept only if on held-out days it tells
  strong signals better than the rules do (bootstrap, one-sided 95% lower bound of the gain above zero).
- limits: probabilities are as good as the anchor's; a failure that leaves no trace in the log is not seen; what all groups
  have in common for another reason than failure looks like failure.
"""


def model_card(model: DefectModel, about: Mapping[str, Any]) -> str:
    """Markdown: what the model was trained on, the weights of its evidence, and how it compares with the rules."""
    heldout = ", ".join(about["heldout_days"]) or "nothing"
    given = {**about, "heldout": heldout, "anchor": f"`{model.anchor or 'none'}`"}
    reason = model.metrics.get("reason", "")
    why = f"{reason}, so the rules stand alone" if reason else "evidence weighed by how far it agrees"
    lines = [_HEAD.format(version=model.version, kind=model.kind, why=why, **given)]
    weights = sorted(model.metrics.get("weights", {}).items(), key=lambda pair: -pair[1])
    if weights:
        lines += ["## Weights", "", "| group | weight |", "|---|---|", *(f"| {g} | {w:.3f} |" for g, w in weights), ""]
    lines += ["## Held-out average precision: one group's strong signals told from everything else", ""]
    if "answer" in model.metrics.get("heldout_average_precision", {}):
        lines += ["`answer`: answers told from answers of other dialogues.", ""]
    compared = model.metrics.get("heldout_average_precision", {})
    if compared:
        lines += ["| group | turns | positives | rules | model |", "|---|---|---|---|---|"]
        lines += [
            f"| {g} | {c['n']} | {c['positives']} | {c['rules']:.3f} | {c['model']:.3f} |" for g, c in compared.items()
        ]
        rules, kept = (sum(c[name] for c in compared.values()) / len(compared) for name in ("rules", "model"))
        lines.append(f"| mean | | | {rules:.3f} | {kept:.3f} |")
    else:
        lines.append("Not compared: too few strong signals on held-out days.")
    return "\n".join(lines) + "\n"
