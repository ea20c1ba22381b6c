"""The card of a rephrase model: what it was made from, how good it is, and what it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewriter.rephrase.association import LEAST_USERS
from rewriter.rephrase.decision import RephraseDecision
from rewriter.rephrase.evidence import BASE, REPEATED, STEP, TEMPERATURE, WEIGHTS
from rewriter.rephrase.weak_labels import ASSOCIATED, KINDS
from rewriter.settings import Settings

_RULES = {
    "rephrase": "failed, and a later turn in the window says the same: more likely than not",
    "repeat_after_success": "answered, and said again with the same interpretation: wanted once more",
    "slot_changed": "fine, and said again with another value",
    "next_goal_same_domain": "fine, and another request to the same domain",
    "next_goal": "fine, and something else",
    "answer": "failed, the assistant asked something, and nothing later is close",
    "moved_on": "failed, and nothing later is close",
    "unsure": "the rules do not decide; kept with its probability",
}

_VIEWS = {
    "likeness": "wording or sound, whatever the recogniser heard, for each {step} of similarity above {weak}",
    "meaning": "in a log without interpretations: cosine of both sentences' vectors, for each 0.1 above 0.8",
    "asked_again": "the assistant said the same before both turns",
    "value_heard": "a slot value of the later turn was heard in a request that was not understood",
    "turns_between": "for each turn between",
    "same_answered": "understood as the same, and both answered",
    "other_reading": "both understood, as something else",
    "no_answer": "the later turn got no answer, in a log of answers",
    "usual": "of every pair, {base:+.2f} and, in this log, {usual:+.2f}: how much more often it says failed requests again",
}

_TEXT = """# Rephrase model {version}

Says which of the next {window} user turns, if any, says a failed request again. A BERT encoder with start and end heads
and learnt weights of the evidence below, fine-tuned on weak labels from the log itself; no person labelled anything.

## Data

Days {first} to {last} ({n_days} days with turns). Trained on {n_examples:,} of the labelled requests of all but the days
{held}; those held-out days gave the calibration and the threshold.{same}

## Rules

A later turn says a request again if the request failed and the turn means the same. The log-odds that it means the same
are added up (and {associated:+.1f} in the labels for what at least {users} users said next after the same request failed,
far more than after other failures). A harmless repeat, of a request that did not fail, counts neither way. {repeated:.1f} of
a failure's log-odds are taken off where the turn is alike: the chance of failure has counted that repetition already. Of
pairs after a failure {failed:.3f} mean the same in this log, of others {fine:.3f}, as estimated without labels. The log-odds
of a rephrase are divided by {temperature_of_rules:g}: views that tell the same in part are too sure together.

| evidence | log-odds |
|---|---|
{views}

| label | meaning | labels |
|---|---|---|
{rules}

## Figures on the held-out days, against the weak labels

These say how well the rules were learnt, not how often they are right; only labels by people can say that.

| figure | value |
|---|---|
{metrics}

Threshold {threshold:.3f} (best expected F1), temperature {temperature:.3f}, null bias {bias:.3f}. Weight of the
encoder's spans beside the evidence {spans:g}: the held-out labels chose it, and for 0 the encoder is not run. Requests
that are not read get probability {skipped:.4f}.

## Limits

- A rephrase in entirely other words is learnt only where several users made it, or where the interpretation or the
  recogniser's alternatives give it away: the rules that taught the model see no others.
- A failure that the log does not show (a wrong answer taken for a right one) is mostly missed.
- The window ends after {window} turns or {gap:g} s of silence.
- Probabilities are calibrated against weak labels; where the defect probabilities are off, these are too.
"""


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def model_card(
    decision: RephraseDecision,
    settings: Settings,
    *,
    days: Sequence[str],
    held: Sequence[str],
    n_examples: int,
    counts: Mapping[str, int],
    metrics: Mapping[str, float],
) -> str:
    """Markdown for people: days, rules with their counts, figures and limits."""
    bounds = {"step": STEP, "weak": settings.rephrase.weak_similarity, "usual": decision.usual.shift, "base": BASE}
    return _TEXT.format(
        version=decision.model_version,
        window=decision.window_turns,
        first=min(days),
        last=max(days),
        n_days=len(days),
        n_examples=n_examples,
        held=", ".join(held) if held else "(none)",
        same="" if held else " With one day of log there is nothing to hold out: the figures flatter.",
        users=LEAST_USERS,
        associated=ASSOCIATED,
        repeated=REPEATED,
        failed=decision.usual_failed,
        fine=decision.usual_fine,
        temperature_of_rules=TEMPERATURE,
        views=_table([(_VIEWS[name].format(**bounds), f"{weight:+.1f}") for name, weight in WEIGHTS.items()]),
        rules=_table([(f"`{name}`", _RULES[name], f"{counts[name]:,}") for name in KINDS]),
        metrics=_table([(name.replace("_", " "), f"{value:.4g}") for name, value in metrics.items()]),
        threshold=decision.threshold,
        temperature=decision.temperature,
        bias=decision.null_bias,
        spans=decision.span_weight,
        skipped=decision.skipped_probability,
        gap=settings.sessions.max_gap_s,
    )
