"""What users do after an answer: try again, say it otherwise, correct, interrupt, rate, give up."""

from __future__ import annotations

from random import Random

from rewriter.simulation.users import User, weights_of
from rewriter.simulation.wordings import Intent, Wording

#: Reactions to a failed attempt; the rest give up. `correct` says the same after "i said" or "no".
REPEAT, REWORD, CORRECT = 0.21, 0.34, 0.06
_FADING = 0.82  # each further attempt is so much less likely
_MAX_ATTEMPTS = 5
_UNNOTICED = 0.12  # wrong answers that sound right and are believed
_DOUBTED = 0.015  # right answers that are asked for again
_AGAIN = {"music.volume_up": 0.35, "music.volume_down": 0.35, "music.next_track": 0.4}  # steps taken more than once
_BARGE_IN_FAILED, _BARGE_IN_DONE = 0.28, 0.06
_IMPERATIVES = frozenset(
    """add call check dim find make navigate next order pause play put read remove send set shuffle skip spell start take
    tell text turn wake watch fire""".split()
)


def politeness(rng: Random, text: str, naivety: float) -> str:
    """The text, sometimes with words around it; the NLU knows some of them and not others."""
    chance = rng.random()
    if chance > 0.13:
        return text
    imperative = text.split(" ", 1)[0] in _IMPERATIVES
    if chance < 0.018 * min(1.0, 2.0 * naivety):
        return rng.choice((f"so {text}", f"hey {text}", f"{text} okay"))
    if imperative and chance < 0.09:
        return rng.choice((f"can you {text}", f"please {text}", f"could you {text}", f"{text} for me"))
    return f"{text} please"


def other_wording(rng: Random, user: User, intent: Intent, said: Wording) -> Wording:
    """Another way to say the goal; most people fall back on the plainest, which the NLU knows."""
    plain = rng.random() < 0.82
    pairs = [
        (w, weight * weight if plain else weight)
        for w, weight in zip(intent.wordings, weights_of(intent, user.naivety), strict=True)
        if w is not said and (w.known or not plain) and weight > 0
    ]
    return rng.choices([w for w, _ in pairs], [weight for _, weight in pairs])[0] if pairs else said


def reaction(rng: Random, user: User, *, ok: bool, status: str, attempt: int, intent: str) -> str:
    """What happens next: ``done``, ``again`` (after success), ``repeat``, ``reword``, ``correct`` or ``give_up``."""
    chance = rng.random()
    if ok:
        return "again" if chance < _AGAIN.get(intent, 0.0) else "repeat" if chance < _DOUBTED else "done"
    if status == "ok" and rng.random() < _UNNOTICED:
        return "done"
    will = user.patience * _FADING ** (attempt - 1)
    if attempt >= _MAX_ATTEMPTS or chance >= will * (REPEAT + REWORD + CORRECT):
        return "give_up"
    if chance < will * REPEAT:
        return "repeat"
    return "reword" if chance < will * (REPEAT + REWORD) else "correct"


def correction(rng: Random, text: str) -> str:
    """The request said again with emphasis: the NLU knows one of these openings."""
    return f"i said {text}" if rng.random() < 0.6 else f"no {text}"


def interrupts(rng: Random, *, ok: bool) -> bool:
    """Whether the user talks over the answer."""
    return rng.random() < (_BARGE_IN_DONE if ok else _BARGE_IN_FAILED)


def rating(rng: Random, *, ok: bool) -> str | None:
    """Explicit feedback, rarely given and not always right."""
    chance = rng.random()
    if ok:
        return "positive" if chance < 0.012 else "negative" if chance < 0.013 else None
    return "negative" if chance < 0.035 else None


def gap_s(rng: Random) -> float:
    """Seconds from the start of one attempt to the start of the next: the answer is heard out, mostly."""
    return min(40.0, 2.4 + rng.lognormvariate(1.36, 0.46))
