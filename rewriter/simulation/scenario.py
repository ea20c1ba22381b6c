"""Worlds with a known peculiarity, each to answer one question about what learns from their logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rewriter.errors import RewriterError
from rewriter.simulation.catalogue import Goal
from rewriter.simulation.chance import unit


@dataclass(frozen=True)
class Planted:
    """One wording with a meaning that depends on who says it, or when.

    ``share`` of all goals of those who say it are said this way. Users whose chance number is below ``minority`` mean
    ``other``; with ``flips`` everybody means ``goal`` before the scenario's flip and ``other`` from then on.
    """

    text: str
    goal: Goal
    other: Goal
    share: float
    minority: float = 0.0
    flips: bool = False
    minority_share: float | None = None

    def meaning(self, user: int, day: int, flip_day: int) -> Goal:
        """What this user means by the wording on this day (counted from the world's first)."""
        if self.flips:
            return self.goal if day < flip_day else self.other
        return self.other if self.is_minority(user) else self.goal

    def is_minority(self, user: int) -> bool:
        """Whether this user is one of those who mean something else."""
        return unit("minority", self.text, user) < self.minority

    def share_of(self, user: int) -> float:
        """Share of this user's goals said with this wording."""
        return self.minority_share if self.minority_share is not None and self.is_minority(user) else self.share


@dataclass(frozen=True)
class Scenario:
    """What is peculiar about a world; the ordinary one has none of it."""

    name: str
    summary: str
    failures: bool = True  # recognition errors, unknown wordings, impossible goals, outages
    shuffled: bool = False
    planted: tuple[Planted, ...] = ()
    unclear: frozenset[str] = frozenset()
    live_pairs: Mapping[str, str] = field(default_factory=dict)  # served from the middle of the first run on
    live_holdout: float = 0.1
    extra: tuple[tuple[str, str], ...] = ()  # more values of slots


def _song(title: str) -> Goal:
    return Goal("music.play_song", (("song", title),))


def _podcast(title: str) -> Goal:
    return Goal("video.play_podcast", (("podcast", title),))


def _show(title: str) -> Goal:
    return Goal("video.play_show", (("show", title),))


_ALL = (
    Scenario("ordinary", "Nothing peculiar."),
    Scenario("no_failures", "Everything is heard, known and done; users still repeat and interrupt.", failures=False),
    Scenario("shuffled", "Failures stay, but what follows them comes from other users' failures.", shuffled=True),
    Scenario(
        "bad_pair",
        "Two wrong pairs go live in the middle of the log, with a holdout of 10%.",
        live_pairs={"what's the weather today": "what's the weather tomorrow", "turn it up": "turn it down"},
    ),
    Scenario(
        "flip",
        "One refused wording means one show before the middle of the log and another after it.",
        planted=(Planted("watch the games", _show("summer games"), _show("winter games"), 0.03, flips=True),),
        unclear=frozenset({"watch the games"}),
        extra=(("show", "summer games"), ("show", "winter games")),
    ),
    Scenario(
        "ambiguous",
        "Two refused wordings mean a song to one half of the users and a podcast to the other.",
        planted=(
            Planted("play morning glory", _song("morning glory"), _podcast("morning glory"), 0.015, minority=0.5),
            Planted("play northern lights", _song("northern lights"), _podcast("northern lights"), 0.015, minority=0.5),
        ),
        unclear=frozenset({"play morning glory", "play northern lights"}),
        extra=tuple((slot, t) for slot in ("song", "podcast") for t in ("morning glory", "northern lights")),
    ),
    Scenario(
        "overindex",
        "A wording works for nearly everybody; a few heavy users mean something else by it, day after day.",
        planted=(
            Planted(
                "play gravity", _song("gravity"), _podcast("gravity explained"), 0.01, minority=0.025, minority_share=0.5
            ),
        ),
        extra=(("song", "gravity"), ("podcast", "gravity explained")),
    ),
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}


def scenario(name: str) -> Scenario:
    """The scenario of this name.

    Raises
    ------
    RewriterError
        If there is none; the message names those there are.
    """
    if name not in SCENARIOS:
        raise RewriterError(f"no scenario '{name}': there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
