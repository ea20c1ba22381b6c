"""What the log says about one candidate of one past request."""

from __future__ import annotations

from dataclasses import dataclass

from rewriter.decision.candidate import Candidate
from rewriter.evaluation.proxy import interpretation_key, proxy_outcome, values_of
from rewriter.evaluation.win_loss import Outcome
from rewriter.text import normalise, similarity

#: Edit similarity from which two texts are taken to say the same, if they name the same slot values or are of one intent.
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


def _alike(words: str, text: str, reading: str | None) -> bool:
    """Whether words are much like a text and name every slot value of its interpretation that the text names."""
    named = (f" {normalise(value)} " for value in values_of(reading))
    return similarity(words, text) >= _ALIKE and all(v in f" {words} " for v in named if v in f" {text} ")


def _outcome_of_unknown(past: Past, words: str) -> Outcome:
    """The verdict on words that nobody is known to have said with success, as most of the recogniser's alternatives are.

    What they are like stands for what they mean. A win needs a resolved failure. In place of a request that worked, words
    unlike it count as a loss: the log cannot show it, and it is the safer guess; words like it show nothing.
    """
    if past.defective:
        wins = past.is_resolved and _alike(words, past.later_text, past.later)
        return Outcome.WIN if wins else Outcome.UNDECIDED
    return Outcome.UNDECIDED if _alike(words, past.text, past.own) else Outcome.LOSS


def outcome_of(past: Past, candidate: Candidate) -> Outcome:
    """The proxy's verdict, in which texts count as well as interpretations.

    The very words of the later rephrase win whatever NLU made of them.
    """
    if past.is_resolved and candidate.utterance == past.later_text:
        return Outcome.WIN
    if not past.defective and not past.succeeded:
        return Outcome.UNDECIDED
    reading = reading_of(candidate)
    if reading is None:
        return _outcome_of_unknown(past, candidate.utterance)
    return proxy_outcome(past.defective, past.own, past.later, reading)


def _says_the_same(past: Past, candidate: Candidate) -> bool:
    """Whether a candidate of the later rephrase's interpretation also says it: slots show that, or the words do."""
    told_apart = past.later is not None and "=" in past.later
    return told_apart or similarity(candidate.utterance, past.later_text) >= _ALIKE


def label_of(past: Past, candidate: Candidate) -> int | None:
    """1 if the rewrite wins, 0 if it does not, None if the log does not say.

    Other than in win/loss, a candidate that is not what a failed request meant is a 0: the ranker must tell it from the
    right one. Failures that nobody resolved, and rewrites that change nothing, teach nothing. Neither does an intent without
    slots that two quite different texts share: "any news" and "what happened in Boston" are no way of saying each other.
    """
    outcome = outcome_of(past, candidate)
    if outcome is Outcome.WIN:
        return 1 if _says_the_same(past, candidate) else None
    if outcome is Outcome.LOSS or (outcome is Outcome.UNDECIDED and past.is_resolved):
        return 0
    return None


def weight_of(past: Past) -> float:
    """How much the labels of a request's candidates count: a doubtful rephrase says little of what was meant."""
    return past.p_later if past.is_resolved else 1.0
