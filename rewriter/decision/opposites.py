"""English words that exclude each other: one in the place of another turns a request into a different one."""

from __future__ import annotations

import re
from functools import lru_cache

#: Of each group a rewrite may not drop one word and add another, nor let two of them change places.
GROUPS: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        *("on off", "up down", "start stop", "open close", "enable disable", "activate deactivate", "mute unmute"),
        *("next previous", "louder quieter", "louder softer", "more less", "add remove", "raise lower", "plus minus"),
        *("increase decrease", "brighten dim", "brighter dimmer", "warmer cooler", "hotter colder", "faster slower"),
        *("arm disarm", "lock unlock", "before after", "am pm", "left right", "inside outside", "arrive leave"),
        *("accept decline", "connect disconnect", "subscribe unsubscribe", "show hide", "like dislike", "always never"),
        *("yesterday today tomorrow", "morning evening", "weekday weekend", "latest oldest", "first last"),
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
    )
)
_ANY = frozenset().union(*GROUPS)
_KEPT = 1 << 12  # texts of which what was found is kept: a request is held against each of its candidates
_HALF_OF_DAY = re.compile(r"\b([ap]) m\b")


def changed(source: str, target: str) -> str:
    """What a rewrite of normalised texts does to such words; empty text if nothing.

    >>> changed("wake me at seven a m", "wake me at seven pm")
    "'am' and 'pm' would be swapped"
    >>> changed("turn on the lamp and off the fan", "turn off the lamp and on the fan")
    "'on' and 'off' would change places"
    """
    before, after = _said(source), _said(target)
    if before == after:
        return ""
    lost, added = set(before) - set(after), set(after) - set(before)
    for group in GROUPS:
        if (gone := lost & group) and (new := added & group):
            return f"'{min(gone)}' and '{min(new)}' would be swapped"
    kept = set(before) & set(after)
    first, second = [w for w in before if w in kept], [w for w in after if w in kept]
    if first != second:
        differ = next((pair for pair in zip(first, second, strict=False) if pair[0] != pair[1]), None)
        if differ and any(differ[0] in group and differ[1] in group for group in GROUPS):
            return f"'{differ[0]}' and '{differ[1]}' would change places"
    return ""


@lru_cache(_KEPT)
def _said(text: str) -> tuple[str, ...]:
    return tuple(word for word in _HALF_OF_DAY.sub(r"\1m", text).split() if word in _ANY)
