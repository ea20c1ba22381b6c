"""Who asks: traits, things of their own, habits of goal and of wording, and a day's plan of sessions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random

from rewriter.simulation.catalogue import Catalogue, Goal
from rewriter.simulation.chance import poisson
from rewriter.simulation.wordings import Intent, Wording, intents

_HABITUAL_GOAL = 0.6  # share of goals that are favourites
_HABITUAL_WORDING = 0.45  # share of first attempts said in the user's own way
_ASK_MORE = 0.3  # chance that a goal is followed by another in the same session
_SIBLING = 0.35  # share of following goals that differ in one slot only
_DEVICES = ("speaker", "speaker", "speaker", "phone", "phone", "tv")


@dataclass(frozen=True)
class User:
    """One user: traits in 0..1 unless a unit is named, things of his own, and habits."""

    index: int
    user_id: str
    activity: float  # sessions a day
    noise: float  # share of requests said in noise
    accent: int
    naivety: float  # weight of wordings that the NLU does not know
    patience: float  # multiplies the chance of another attempt
    device: str
    hours: tuple[float, ...]  # usual times of day, hours
    own: dict[str, tuple[str, ...]]
    favourites: tuple[Goal, ...]
    favourite_weights: tuple[float, ...]  # cumulative
    wordings: dict[str, Wording]  # the habitual way to say each intent


def user_id_of(index: int) -> str:
    """The id of the user of this number, e.g. ``u000012``."""
    return f"u{index:06d}"


def weights_of(intent: Intent, naivety: float) -> list[float]:
    """Weights of an intent's wordings for a user who knows the assistant more or less well."""
    return [w.weight * (1.0 if w.known else naivety) for w in intent.wordings]


def make_user(seed: int, index: int, catalogue: Catalogue, *, failures: bool) -> User:
    """The user of this number in the world of this seed; the same whoever else there is."""
    rng = Random(f"user/{seed}/{index}")
    own = {
        "playlist": _distinct(rng, catalogue, "playlist", 2 + int(rng.random() * 3)),
        "contact": _distinct(rng, catalogue, "contact", 3 + int(rng.random() * 4)),
        "room": _distinct(rng, catalogue, "room", 3 + int(rng.random() * 3)),
    }
    naivety = 0.1 + 0.7 * rng.random() ** 1.5 if failures else 0.0
    n_favourites = 4 + int(rng.random() * 6)
    favourites = dict.fromkeys(
        catalogue.goal(rng, catalogue.intent(rng, possible_only=True), own) for _ in range(n_favourites)
    )
    chosen = {i.name: rng.choices(i.wordings, weights_of(i, naivety))[0] for i in intents().values()}
    return User(
        index=index,
        user_id=user_id_of(index),
        activity=min(4.0, 0.88 * rng.lognormvariate(0.0, 0.7)),
        noise=0.03 + 0.16 * rng.random() ** 2,
        accent=rng.choices((0, 1, 2), (0.76, 0.12, 0.12))[0],
        naivety=naivety,
        patience=0.8 + 0.4 * rng.random(),
        device=rng.choice(_DEVICES),
        hours=tuple(6.5 + 16.0 * rng.random() for _ in range(3)),
        own=own,
        favourites=tuple(favourites),
        favourite_weights=tuple(accumulate(1.0 / (rank + 1) for rank in range(len(favourites)))),
        wordings=chosen,
    )


def _distinct(rng: Random, catalogue: Catalogue, slot: str, n: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(catalogue.value(rng, slot) for _ in range(n)))


@dataclass(frozen=True, slots=True)
class Errand:
    """One goal of a session and the seed of all that happens on the way to it."""

    goal: Goal
    text: str  # a fixed first wording, or nothing
    pause_s: float
    seed: int


def plan_day(rng: Random, user: User, catalogue: Catalogue, *, failures: bool) -> list[tuple[float, list[Errand]]]:
    """Sessions of one day as (start in seconds after midnight, goals), in time order.

    The plan does not depend on what happens in it, so a day with rewriting has the goals of the day without.
    """
    starts = sorted(_start(rng, user) for _ in range(poisson(rng, user.activity)))
    sessions: list[tuple[float, list[Errand]]] = []
    for place, start in enumerate(starts):
        # Two sessions are never closer than a quarter of an hour.
        if place and start - sessions[-1][0] < 900.0:
            continue
        errands = [_errand(rng, user, catalogue, None, failures)]
        while len(errands) < 5 and rng.random() < _ASK_MORE:
            errands.append(_errand(rng, user, catalogue, errands[-1].goal, failures))
        sessions.append((start, errands))
    return sessions


def _start(rng: Random, user: User) -> float:
    hour = rng.choice(user.hours) + rng.gauss(0.0, 1.2)
    return 3600.0 * min(23.4, max(0.2, hour))


def _errand(rng: Random, user: User, catalogue: Catalogue, before: Goal | None, failures: bool) -> Errand:
    goal = _next_goal(rng, user, catalogue, before, failures)
    return Errand(goal, "", 4.0 + rng.expovariate(1 / 9.0), rng.getrandbits(62))


def _next_goal(rng: Random, user: User, catalogue: Catalogue, before: Goal | None, failures: bool) -> Goal:
    if before is not None and before.slots and rng.random() < _SIBLING:
        return _sibling(rng, user, catalogue, before)
    if rng.random() < _HABITUAL_GOAL:
        return rng.choices(user.favourites, cum_weights=user.favourite_weights)[0]
    return catalogue.goal(rng, catalogue.intent(rng, possible_only=not failures), user.own)


def _sibling(rng: Random, user: User, catalogue: Catalogue, before: Goal) -> Goal:
    """A goal of the same intent with one slot drawn again: it looks like a rephrase and is none."""
    place = rng.randrange(len(before.slots))
    drawn = dict(catalogue.goal(rng, intents()[before.intent], user.own).slots)
    slots = tuple((s, drawn[s] if i == place else v) for i, (s, v) in enumerate(before.slots))
    return Goal(before.intent, slots)


def first_wording(rng: Random, user: User, intent: Intent) -> Wording:
    """How the user says a goal at first: mostly in his own way."""
    if rng.random() < _HABITUAL_WORDING:
        return user.wordings[intent.name]
    return rng.choices(intent.wordings, weights_of(intent, user.naivety))[0]
