"""Which intents say something, and by which ones NLUs say that they understood nothing."""

from __future__ import annotations

#: Names of intents that stand for none (lower case).
NOTHING_UNDERSTOOD = (
    *("", "null", "none", "unknown", "fallback", "nlu_fallback", "out_of_scope", "amazon.fallbackintent", "fallbackintent"),
    *("default fallback intent", "sys.no-match-default", "sys.no-input-default"),
)


def understood(intent: str | None) -> str | None:
    """The intent; None where NLU gave none, or one that says it understood nothing.

    >>> understood("play_song"), understood("NLU_fallback"), understood(None)
    ('play_song', None, None)
    """
    return None if intent is None or intent.lower() in NOTHING_UNDERSTOOD else intent
