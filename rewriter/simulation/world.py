"""One world: catalogue, recogniser, NLU and users of one seed, and the question whether a text does what was meant."""

from __future__ import annotations

from functools import lru_cache
from random import Random

from rewriter.errors import RewriterError
from rewriter.simulation.catalogue import Catalogue, Goal
from rewriter.simulation.chance import unit
from rewriter.simulation.nlu import Nlu, Reading
from rewriter.simulation.recogniser import CLEAN, CLEAR, NOISY, Heard, Recogniser
from rewriter.simulation.scenario import Planted, Scenario, scenario
from rewriter.simulation.users import User, make_user, user_id_of
from rewriter.simulation.wordings import fill, intents

_OUTAGE = 0.004  # share of turns that fail whatever was said


class World:
    """Everything that is fixed before anybody speaks.

    Parameters
    ----------
    seed : int
        Decides names, popularity, pronunciations that compete, and users.
    name : str
        A scenario (see ``SCENARIOS``).
    flip_day : int
        Day, counted from the world's first, on which what a scenario changes midway changes.
    """

    def __init__(self, seed: int, name: str = "ordinary", flip_day: int = 7) -> None:
        self.seed = seed
        self.scenario: Scenario = scenario(name)
        self.flip_day = flip_day
        self.catalogue = Catalogue(seed, self.scenario.extra)
        self.recogniser = Recogniser(seed, self.catalogue.vocabulary())
        self.nlu = Nlu(self.catalogue, self.scenario.unclear)
        self._user = lru_cache(maxsize=None)(self._make_user)

    def _make_user(self, index: int) -> User:
        return make_user(self.seed, index, self.catalogue, failures=self.scenario.failures)

    def user(self, user: int | str) -> User:
        """The user of a number or of an id such as ``u000012``.

        Raises
        ------
        RewriterError
            If the id is not one of this world.
        """
        if isinstance(user, str):
            index = int(user[1:]) if user[1:].isdigit() else -1
            if user != user_id_of(index):
                raise RewriterError(f"no user '{user}' in the simulated world: ids look like {user_id_of(12)}")
            return self._user(index)
        return self._user(user)

    def understand(self, utterance: str, user: int | str) -> Reading:
        """What the NLU makes of a text that it is given for this user."""
        return self.nlu.understand(utterance, self.user(user).own)

    def succeeds(self, utterance: str, goal: Goal | str, user: int | str) -> bool:
        """Whether the NLU, given this text for this user, does what the goal (or its id) asks. Outages aside."""
        reading = self.understand(utterance, user)
        wanted = goal if isinstance(goal, str) else goal.id
        return reading.done and reading.goal is not None and reading.goal.id == wanted

    def plain_texts(self, goal: Goal) -> list[str]:
        """The goal in every wording that the NLU knows, the most popular first."""
        return [fill(w.text, goal.slots) for w in intents()[goal.intent].known]

    def hear(self, rng: Random, said: str, user: User, *, again: bool) -> Heard:
        """One hearing of what a user says; people speak more clearly when they say it again."""
        if not self.scenario.failures:
            confidence = round(0.88 + 0.11 * rng.random(), 4)
            return Heard(said, confidence, ((said, confidence),))
        sharpness = NOISY if rng.random() < user.noise else CLEAR if again else CLEAN
        return self.recogniser.hear(rng, said, user.accent, sharpness)

    def is_out(self, turn_id: str) -> bool:
        """Whether the service behind the NLU is down for this turn."""
        return self.scenario.failures and unit("outage", self.seed, turn_id) < _OUTAGE

    def planted(self, rng: Random, user: User) -> Planted | None:
        """The scenario's wording that this goal is replaced with, if any."""
        chance = rng.random()
        for planted in self.scenario.planted:
            share = planted.share_of(user.index)
            if chance < share:
                return planted
            chance -= share
        return None
