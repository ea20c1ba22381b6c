"""A generated log for the mining benchmark: Zipf requests, failing wordings, rephrases; any size, always the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.tables import DEFECTS, TURNS

#: Turns of one user over the whole log, in the mean.
TURNS_PER_USER = 50
N_DAYS = 28
DAY_US = 86_400_000_000
START_US = 1_772_323_200_000_000  # 2026-03-01
LOCALES = ("en-US", "en-GB", "de-DE")
DOMAINS = ("music", "weather", "video", "shopping", "timer", "navigation", "news", "home")
VERBS = "play show find start tell give open read".split()
NOUNS = "song film timer light recipe route score album forecast story podcast channel".split()
#: Wordings of one request: the first succeeds, the others mostly fail.
N_WORDINGS = 4
P_SUCCESS = (0.93, 0.15, 0.3, 0.45)
P_WORDING = (0.72, 0.12, 0.09, 0.07)
P_RETRY = 0.6
P_RIGHT_NEXT = 0.7


@dataclass(frozen=True)
class Walk:
    """Turns of a part of the log, all (n,): session (from 0), place in it, request, wording, whether it succeeded."""

    session: np.ndarray
    place: np.ndarray
    request: np.ndarray
    wording: np.ndarray
    success: np.ndarray


def requests(rng: np.random.Generator, n: int, n_requests: int) -> np.ndarray:
    """Requests drawn with weight 1 / (rank + 5), (n,) int."""
    edges = np.cumsum(1.0 / (np.arange(n_requests) + 5.0))
    drawn: np.ndarray = np.searchsorted(edges, rng.random(n) * edges[-1])
    return drawn


def walk(rng: np.random.Generator, n_sessions: int, n_requests: int) -> Walk:
    """Sessions of one to three goals; a goal that failed is often said again, mostly in its right words."""
    session = np.repeat(np.arange(n_sessions), rng.integers(1, 4, n_sessions))
    goal = np.arange(len(session))
    request = requests(rng, len(goal), n_requests)
    wording = rng.choice(N_WORDINGS, len(goal), p=P_WORDING)
    parts, attempt = [], 0
    while len(goal):
        success = rng.random(len(goal)) < np.array(P_SUCCESS)[wording]
        parts.append((goal, np.full(len(goal), attempt), wording, success))
        again = ~success & (rng.random(len(goal)) < P_RETRY) & (attempt < 4)
        goal, attempt = goal[again], attempt + 1
        other = rng.integers(0, N_WORDINGS, len(goal))
        wording = np.where(rng.random(len(goal)) < P_RIGHT_NEXT, 0, other)
    goals, attempts, wordings, successes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((attempts, goals))
    sessions = session[goals[order]]
    first = np.searchsorted(sessions, sessions)
    place = np.arange(len(sessions)) - first
    return Walk(sessions, place, request[goals[order]], wordings[order], successes[order])


def wording_texts(n_requests: int) -> pa.Array:
    """Text of each wording of each request, (n_requests * N_WORDINGS,)."""
    k = np.arange(n_requests)
    verb, noun = np.array(VERBS)[k % len(VERBS)], np.array(NOUNS)[k // 8 % len(NOUNS)]
    name = np.char.mod("%x", k * 2_654_435_761 % (1 << 32))
    right = np.char.add(np.char.add(np.char.add(verb, " the "), np.char.add(noun, " ")), name)
    forms = [right, np.char.add("pay the ", np.char.add(np.char.add(noun, " "), name)), np.char.add("Um, ", right)]
    forms.append(np.char.add(np.char.add(verb, " "), name))
    return pa.array(np.stack(forms, axis=1).ravel(), pa.string())


def _numbered(prefix: str, number: np.ndarray) -> pa.Array:
    return pa.array(np.char.add(prefix, np.char.mod("%d", number)), pa.string())


def turns_of(rng: np.random.Generator, steps: Walk, texts: pa.Array, part: int, n_users: int) -> pa.Table:
    """The `turns` rows of a walk."""
    n, n_sessions = len(steps.session), int(steps.session[-1]) + 1
    user = rng.integers(0, n_users, n_sessions)
    start = rng.integers(0, N_DAYS * DAY_US // 1000, n_sessions) * 1000
    at = START_US + start[steps.session] + steps.place * 9_000_000 + rng.integers(0, 4_000_000, n)
    of_user, domain = user[steps.session], steps.request % len(DOMAINS)
    failed = ~steps.success
    unread = failed & (rng.random(n) < 0.5)
    status = np.where(failed, np.where(rng.random(n) < 0.6, 1, 2), 0)
    confidence = np.where(failed, rng.uniform(0.1, 0.7, n), rng.uniform(0.5, 1.0, n)).astype(np.float32)
    columns = {
        "turn_id": _numbered(f"t{part}-", np.arange(n)),
        "user_id": _numbered("u", of_user),
        "session_id": _numbered(f"s{part}-", steps.session),
        "turn_index": pa.array(steps.place, pa.int32()),
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "locale": pa.array(LOCALES).take(pa.array(np.minimum(of_user % 10 // 4, 2))),
        "device": pa.array(["speaker", "phone"]).take(pa.array(of_user % 2)),
        "utterance": texts.take(pa.array(steps.request * N_WORDINGS + steps.wording)),
        "asr_confidence": pa.array(rng.uniform(0.3, 1.0, n).astype(np.float32)),
        "domain": pa.array(DOMAINS).take(pa.array(domain, mask=unread)),
        "intent": pa.array([f"{name}_get" for name in DOMAINS]).take(pa.array(domain, mask=unread)),
        "nlu_confidence": pa.array(confidence),
        "response": pa.array(["Here you are.", "Sorry, I did not get that.", "I found nothing."]).take(pa.array(status)),
        "response_status": pa.array(["ok", "fallback", "no_result"]).take(pa.array(status)),
        "barge_in": pa.array(rng.random(n) < np.where(failed, 0.3, 0.03)),
    }
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in TURNS.schema], schema=TURNS.schema)


def labels_of(turns: pa.Table) -> pa.Table:
    """The `defects` rows of some turns, by their status and barge-in alone: for counts that are given labels."""
    failed = np.asarray(pc.not_equal(turns.column("response_status"), "ok"))
    defect = np.where(failed, 0.8, 0.1) + np.where(np.asarray(turns.column("barge_in")), 0.1, 0.0)
    columns = {
        "turn_id": turns.column("turn_id"),
        "defect": pa.array(defect.astype(np.float32)),
        "defective": pa.array(failed),
    }
    columns["signals"] = pa.array([[]] * len(failed), pa.list_(pa.string()))
    return pa.table([columns.get(f.name, pa.nulls(len(failed), f.type)) for f in DEFECTS.schema], schema=DEFECTS.schema)


def write_log(out: Path, n_turns: int, seed: int = 7, part_turns: int = 1_000_000) -> int:
    """Write at least ``n_turns`` turns to ``out / "turns"`` and their `labels_of` beside them, by day; returns how many."""
    rng = np.random.default_rng(seed)
    n_requests, n_users = max(100, n_turns // 20), max(20, n_turns // TURNS_PER_USER)
    texts, written, part = wording_texts(n_requests), 0, 0
    while written < n_turns:
        steps = walk(rng, int(min(part_turns, n_turns - written) / 2.4) + 1, n_requests)
        table = turns_of(rng, steps, texts, part, n_users)
        day = (table.column("at").cast(pa.int64()).to_numpy() - START_US) // DAY_US
        for d in np.unique(day).tolist():
            of_day = table.filter(pa.array(day == d))
            for name, rows in (("turns", of_day), ("defects", labels_of(of_day))):
                folder = out / name / f"day={np.datetime64('2026-03-01') + np.timedelta64(d, 'D')}"
                folder.mkdir(parents=True, exist_ok=True)
                pq.write_table(rows, folder / f"part-{part:03d}.parquet", compression="zstd")
        written, part = written + table.num_rows, part + 1
    return written
