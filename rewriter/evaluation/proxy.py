"""Proxy win/loss: how a rewrite would have fared on days on which nothing was rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rewriter.errors import RewriterError
from rewriter.evaluation.win_loss import Outcome
from rewriter.intents import understood


def interpretation_key(
    domain: str | None, intent: str | None, slots: Mapping[str, str] | Iterable[tuple[str, str]] | None
) -> str | None:
    """One string that two requests share exactly when NLU read them alike; None where it understood nothing.

    Slots may be a mapping or Arrow's list of pairs; their order and letter case do not matter.

    >>> interpretation_key("music", "play", {"song": "Halo", "artist": "X"})
    'music|play|artist=x|song=halo'
    """
    if understood(intent) is None:
        return None
    pairs = slots.items() if isinstance(slots, Mapping) else (slots or ())
    return "|".join([domain or "", intent or "", *sorted(f"{name}={value}".lower() for name, value in pairs)])


def values_of(key: str | None) -> tuple[str, ...]:
    """Slot values of an `interpretation_key`, in lower case.

    >>> values_of("music|play|artist=x|song=halo")
    ('x', 'halo')
    """
    return tuple(slot.partition("=")[2] for slot in key.split("|")[2:]) if key else ()


def proxy_outcome(defective: bool, own: str | None, later: str | None, candidate: str | None) -> Outcome:
    """The proxy's verdict on one rewrite.

    Win: the turn failed and the candidate has the interpretation of its later successful rephrase. Loss: the turn
    succeeded and the candidate's interpretation differs. Tie: the turn succeeded and the interpretation stays. Anything
    else is undecided: the log does not show what would have happened.

    Parameters
    ----------
    defective
        Whether the turn failed as it was served.
    own, later, candidate
        Interpretations (see `interpretation_key`) of the turn, of its later successful rephrase (None: there is none)
        and of the candidate.
    """
    if candidate is None:
        return Outcome.UNDECIDED
    if defective:
        return Outcome.WIN if later is not None and candidate == later else Outcome.UNDECIDED
    if own is None:
        return Outcome.UNDECIDED
    return Outcome.TIE if candidate == own else Outcome.LOSS


def proxy_outcomes(
    defective: Sequence[bool], own: Sequence[str | None], later: Sequence[str | None], candidate: Sequence[str | None]
) -> list[Outcome]:
    """`proxy_outcome` of each rewrite; four sequences of one length.

    Raises
    ------
    RewriterError
        If the lengths differ.
    """
    lengths = [len(x) for x in (defective, own, later, candidate)]
    if len(set(lengths)) > 1:
        raise RewriterError(f"proxy_outcomes: sequences of different lengths {lengths}")
    return [proxy_outcome(bool(d), o, a, c) for d, o, a, c in zip(defective, own, later, candidate, strict=True)]
