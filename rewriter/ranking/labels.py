"""What the log says about one candidate of one past request."""

from __future__ import annotations

from dataclasses import dataclass

from rewriter.decision.candidate import Candidate
from rewriter.evaluation.proxy import interpretation_key, proxy_outcome, values_of
from rewriter.evaluation.win_loss import Outcome
from rewriter.text import negations, normalise, numbers, similarity

#: Edit similarity from which two texts may say the same.
_ALIKE = 0.5


@dataclass(frozen=True)
class Past:
    """How one past request went.

    Attributes
    ----------
    defective, succeeded
        Whether it failed, and whether it surely did not; a turn between the two shows neither a win nor a loss.
    own
        Its interpretation (see `interpretation_key`); None if NLU understood nothing.
    later, later_text
        Interpretation and normalised text of its later successful rephrase; None and empty without one.
    domain
        Of the rephrase where there is one, else its own; the segment it is counted in.
    p_later
        How sure the later rephrase is one, 0..1: the product of the probabilities on the way to it.
    text
        Its normalised text.
    """

    defective: bool
    succeeded: bool
    own: str | None
    later: str | None
    later_text: str
    domain: str
    p_later: float = 1.0
    text: str = ""

    @property
    def is_resolved(self) -> bool:
        """Whether it failed and a later rephrase succeeded."""
        return self.defective and bool(self.later_text)


def reading_of(candidate: Candidate) -> str | None:
    """Interpretation that the indexes know for a candidate; None if they do not know the text."""
    known = candidate.entry or candidate.own
    return interpretation_key(known.domain, known.intent, known.slots) if known else None


def outcome_of(past: Past, candidate: Candidate) -> Outcome:
    """The proxy's verdict, in which texts count as well as interpretations.

    The very words of the later rephrase win whatever NLU made of them. In place of a request that worked, words that
    nobody is known to have said with success count as a loss: the log cannot show it, and it is the safer guess.
    """
    if past.is_resolved and candidate.utterance == past.later_text:
        return Outcome.WIN
    reading = reading_of(candidate)
    if not past.defective and not past.succeeded:
        return Outcome.UNDECIDED
    if past.succeeded and reading is None:
        return Outcome.LOSS
    return proxy_outcome(past.defective, past.own, past.later, reading)


def _is_better_heard(past: Past, words: str) -> bool:
    """Whether words in no index, as most of the recogniser's alternatives are, come near what a failed request meant.

    What they are like stands for what they mean: they must be much like the later rephrase and more so than what was heard,
    with its numbers and negations and every slot value that it names.
    """
    later = past.later_text
    alike = similarity(words, later)
    values = (f" {normalise(value)} " for value in values_of(past.later))
    return (
        alike >= _ALIKE
        and alike > similarity(past.text, later)
        and numbers(words) == numbers(later)
        and negations(words) == negations(later)
        and all(value in f" {words} " for value in values if value in f" {later} ")
    )


def _says_the_same(past: Past, candidate: Candidate) -> bool:
    """Whether a candidate of the later rephrase's interpretation also says it: slots show that, or the words do."""
    told_apart = past.later is not None and "=" in past.later
    return told_apart or similarity(candidate.utterance, past.later_text) >= _ALIKE


def label_of(past: Past, candidate: Candidate) -> int | None:
    """1 if the rewrite wins, 0 if it does not, None if the log does not say.

    Other than in win/loss, a candidate that is not what a failed request meant is a 0: the ranker must tell it from the
    right one; words in no index win where they come nearer to it. Failures that nobody resolved, and rewrites that change
    nothing, teach nothing. Neither does an intent without slots that two quite different texts share: "any news" and "what
    happened in Boston" are no way of saying each other.
    """
    is_unknown = candidate.entry is None and candidate.own is None
    if is_unknown and past.is_resolved:
        return int(_is_better_heard(past, candidate.utterance))
    outcome = outcome_of(past, candidate)
    if outcome is Outcome.WIN:
        return 1 if _says_the_same(past, candidate) else None
    if outcome is Outcome.LOSS or (outcome is Outcome.UNDECIDED and past.is_resolved):
        return 0
    return None


def weight_of(past: Past) -> float:
    """How much the labels of a request's candidates count: a doubtful rephrase says little of what was meant."""
    return past.p_later if past.is_resolved else 1.0
