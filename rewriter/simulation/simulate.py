"""The loop: users talk to the assistant day by day, with or without a rewriting system in front of its NLU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from rewriter.simulation import behaviour
from rewriter.simulation.catalogue import Goal
from rewriter.simulation.exchange import NO_REWRITE, PairRewriter, Request, Rewriter
from rewriter.simulation.nlu import Reading
from rewriter.simulation.recogniser import Heard
from rewriter.simulation.shuffle import shuffle_following
from rewriter.simulation.turn import Turn
from rewriter.simulation.users import Errand, User, first_wording, plan_day
from rewriter.simulation.wordings import fill, intents
from rewriter.simulation.world import World

LOCALE = "en-US"
_WINDOW = 5  # turns of the session that a request carries
_OUTAGE = Reading(None, 0.5, "error", "Something went wrong. Please try again later.")


class _Conversation:
    """The turns of one user; all chance comes from the seeds of the day and of its errands."""

    def __init__(self, world: World, user: User, rewriter: Rewriter | None) -> None:
        self._world, self._user, self._rewriter = world, user, rewriter
        self.turns: list[Turn] = []
        self._at = datetime.min
        self._session: list[Turn] = []
        self._session_id = ""
        self._day = 0

    def session(self, session_id: str, start: datetime, errands: Sequence[Errand], day: int) -> None:
        """One session: each goal until it is reached or given up."""
        self._at, self._session, self._session_id, self._day = start, [], session_id, day
        for place, errand in enumerate(errands):
            if place:
                self._at += timedelta(seconds=round(errand.pause_s, 2))
            self._pursue(errand)
        self.turns += self._session

    def _pursue(self, errand: Errand) -> None:
        world, user, rng = self._world, self._user, Random(errand.seed)
        planted = world.planted(rng, user) if world.scenario.planted else None
        goal = errand.goal if planted is None else planted.meaning(user.index, self._day, world.flip_day)
        intent = intents()[goal.intent]
        wording = first_wording(rng, user, intent)
        text = fill(wording.text, goal.slots) if planted is None else planted.text
        said = behaviour.politeness(rng, text, user.naivety)
        failed: str | None = None
        attempt = 1
        while True:
            turn = self._attempt(rng, said, goal, failed, again=attempt > 1)
            following = behaviour.reaction(
                rng, user, ok=turn.ok, status=turn.reading.status, attempt=attempt, intent=goal.intent
            )
            if following in ("done", "give_up") or (following == "again" and attempt >= 4):
                return
            failed = None if turn.ok else turn.turn_id
            if following == "reword":
                wording = behaviour.other_wording(rng, user, intent, wording)
                said = text = fill(wording.text, goal.slots)
            elif following == "correct":
                said = behaviour.correction(rng, text)
            attempt += 1
            self._at += timedelta(seconds=round(behaviour.gap_s(rng), 2))

    def _attempt(self, rng: Random, said: str, goal: Goal, failed: str | None, *, again: bool) -> Turn:
        world, user = self._world, self._user
        heard = world.hear(rng, said, user, again=again)
        turn_id = f"{self._session_id}-{len(self._session)}"
        first = world.nlu.understand(heard.text, user.own)
        answer = NO_REWRITE if self._rewriter is None else self._rewriter(self._request(turn_id, heard, first))
        reading = first
        if answer.served is not None and answer.arm == "treatment":
            reading = world.nlu.understand(answer.served, user.own)
        out = world.is_out(turn_id)
        ok_as_is = not out and _does(first, goal)
        ok = not out and _does(reading, goal)
        if out:
            reading = _OUTAGE if reading.status == "ok" else reading
        turn = Turn(
            turn_id=turn_id,
            user_id=user.user_id,
            session_id=self._session_id,
            turn_index=len(self._session),
            day=self._day,
            at=self._at,
            device=user.device,
            context=self._context(),
            heard=heard,
            reading=reading,
            answer=answer,
            barge_in=behaviour.interrupts(rng, ok=ok),
            feedback=behaviour.rating(rng, ok=ok),
            goal=goal,
            ok=ok,
            ok_as_is=ok_as_is,
            rephrase_of=failed,
            said=said,
        )
        self._session.append(turn)
        return turn

    def _context(self) -> tuple[tuple[str, str], ...]:
        last = self._session[-1].reading.goal if self._session else None
        playing = last.intent.partition(".")[0] if last and last.intent.startswith(("music", "video")) else "nothing"
        return (("playing", playing), ("screen", "on" if self._user.device != "speaker" else "off"))

    def _request(self, turn_id: str, heard: Heard, first: Reading) -> Request:
        domain, intent, slots = first.interpretation
        return Request(
            utterance=heard.text,
            user_id=self._user.user_id,
            session_id=self._session_id,
            at=self._at,
            locale=LOCALE,
            device=self._user.device,
            asr_confidence=heard.confidence,
            nbest=heard.nbest,
            interpretation={
                "domain": domain,
                "intent": intent,
                "slots": dict(slots),
                "confidence": round(first.confidence, 4),
            },
            context=dict(self._context()),
            previous_turns=tuple(_previous(turn) for turn in self._session[-_WINDOW:]),
            request_id=turn_id,
        )


def _does(reading: Reading, goal: Goal) -> bool:
    return reading.done and reading.goal == goal


def _previous(turn: Turn) -> dict[str, Any]:
    return {
        "turn_id": turn.turn_id,
        "at": turn.at,
        "utterance": turn.heard.text,
        "response": turn.reading.response,
        "response_status": turn.reading.status,
        "barge_in": turn.barge_in,
        "intent": turn.reading.interpretation[1],
    }


def simulate_user(world: World, index: int, days: range, start: date, rewriter: Rewriter | None = None) -> list[Turn]:
    """All turns of one user on these days of the world, in time order; ``start`` is the date of the world's day 0."""
    user = world.user(index)
    conversation = _Conversation(world, user, rewriter)
    for day in days:
        rng = Random(f"day/{world.seed}/{index}/{day}")
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=day)
        for place, (second, errands) in enumerate(plan_day(rng, user, world.catalogue, failures=world.scenario.failures)):
            session_id = f"{user.user_id}-d{day:03d}-s{place}"
            conversation.session(session_id, midnight + timedelta(seconds=round(second, 2)), errands, day)
    return conversation.turns


def simulate(
    world: World,
    users: int | Sequence[int],
    days: range,
    start: date = date(2026, 3, 2),
    rewriter: Rewriter | None = None,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Turn]:
    """Turns of these users on these days, sorted by time and then id.

    Parameters
    ----------
    users : int or sequence of int
        How many users (numbers 0 to n - 1), or their numbers in any order: the result does not depend on it.
    days : range
        Days of the world; a later range continues an earlier one with the same seed.
    start : date
        Date of the world's day 0.
    rewriter : Rewriter, optional
        Asked for every heard request before the NLU; the scenario's own live pairs are used without one.
    workers : int
        Threads, each simulating whole users: worth having when ``rewriter`` waits for a network.
    progress : callable, optional
        Called with the number of users done.
    """
    indices = range(users) if isinstance(users, int) else users
    rewriter = rewriter or _live_pairs(world, start)
    turns: list[Turn] = []
    for done, of_user in enumerate(_each_user(world, indices, days, start, rewriter, workers), start=1):
        turns += of_user
        if progress is not None:
            progress(done)
    turns.sort(key=lambda turn: (turn.at, turn.turn_id))
    return shuffle_following(turns, world.seed) if world.scenario.shuffled else turns


def _each_user(
    world: World, indices: Sequence[int], days: range, start: date, rewriter: Rewriter | None, workers: int
) -> Iterator[list[Turn]]:
    if workers <= 1:
        yield from (simulate_user(world, index, days, start, rewriter) for index in indices)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda index: simulate_user(world, index, days, start, rewriter), indices)


def _live_pairs(world: World, start: date) -> Rewriter | None:
    """The pairs that a scenario plants, live from its flip day on."""
    scenario = world.scenario
    if not scenario.live_pairs:
        return None
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=world.flip_day)
    pairs = {(LOCALE, source): rewrite for source, rewrite in scenario.live_pairs.items()}
    return PairRewriter(pairs, scenario.live_holdout, "planted", begin)
