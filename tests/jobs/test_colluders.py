"""Fewer users than a pair needs publish and redirect nothing, however often they say it; one user counts as the cap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import mine_rewrites
from jobs.storage import read_arrow
from rewriter.settings import Mine
from schemas.tables import REWRITE_PAIRS, TURNS

START = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
MIN_USERS, CAP = Mine().min_users, Mine().user_cap
VISITS = 40  # of each colluder to each source
SONGS = "album jazz snow rain chicago london chaplin street kitchen district video norton".split()
WANTED = "turn on the lights"  # what the colluders want everything to become
#: A source with honest support far above the threshold, one below it, one that works, and one that nobody else says.
ATTACKED = (f"pay {SONGS[0]}", f"pay {SONGS[1]}", "stop the music", "what a fine day")


@dataclass
class Log:
    """Turns, session by session; no two sessions are near each other."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    sessions: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def session(self, user: str, *turns: tuple[str, bool, str | None]) -> None:
        """One session: what was said, whether it worked, and the intent that NLU saw."""
        n = next(self.sessions)
        at = START + dt.timedelta(days=n % 7, seconds=90 * n)
        for k, (text, works, intent) in enumerate(turns):
            row = dict.fromkeys(TURNS.schema.names) | {"turn_id": f"{n}-{k}", "user_id": user, "session_id": f"s{n}"}
            row |= {"turn_index": k, "at": at + dt.timedelta(seconds=8 * k), "locale": "en-US", "utterance": text}
            row |= {"asr_confidence": 0.9, "response_status": "ok" if works else "fallback"}
            if intent is not None:
                row |= {"domain": "home" if intent == "lights" else "music", "intent": intent, "nlu_confidence": 0.9}
                row |= {"slots": [("song", text.split()[-1])]}
            self.rows.append(row)


def honest_log() -> Log:
    """Each song is misheard for users who say it again; 30 for the first, 6 for the second, 15 for the others."""
    log = Log()
    for place, song in enumerate(SONGS):
        for user in range({0: 30, 1: 6}.get(place, 15)):
            log.session(f"{song}{user}", (f"pay {song}", False, None), (f"play {song}", True, "play"))
            log.session(f"{song}{user}", (f"play {song}", True, "play"))
    for user in range(25):
        log.session(f"home{user}", (WANTED, True, "lights"))
        log.session(f"home{user}", ("stop the music", True, "stop"))
    # Two honest users happen to want the lights after a failure.
    for user in range(2):
        log.session(f"home{user}", (ATTACKED[0], False, None), (WANTED, True, "lights"))
    return log


def attacked_log(n_colluders: int) -> Log:
    log = honest_log()
    for colluder in range(n_colluders):
        for source in ATTACKED:
            for _ in range(VISITS):
                log.session(f"colluder{colluder}", (source, False, None), (WANTED, True, "lights"))
    return log


def mined(folder: Path, log: Log, states: str = "interpretation") -> list[dict[str, Any]]:
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(log.rows, schema=TURNS.schema), folder / "turns.parquet")
    (folder / "config.toml").write_text(f'[mine]\nstates = "{states}"\n', "utf-8")
    named = {"turns": folder / "turns.parquet", "config": folder / "config.toml", "out": folder / "pairs"}
    mine_rewrites.main([x for name, path in named.items() for x in (f"--{name}", str(path))])
    return read_arrow(folder / "pairs", REWRITE_PAIRS).to_pylist()


def active(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["source"], row["rewrite"]) for row in rows if row["status"] == "active"}


@pytest.mark.parametrize("states", ["interpretation", "wording"])
def test_one_user_fewer_than_a_pair_needs_publishes_and_redirects_nothing(spark, tmp_path: Path, states: str):
    before = active(mined(tmp_path / "before", honest_log(), states))
    assert before == {(f"pay {song}", f"play {song}") for song in SONGS if song != SONGS[1]}
    after = mined(tmp_path / "after", attacked_log(MIN_USERS - 1), states)
    assert active(after) == before
    tried = {row["source"]: row["support_users"] for row in after if row["rewrite"] == WANTED}
    assert tried == dict.fromkeys(ATTACKED, MIN_USERS - 1) | {ATTACKED[0]: MIN_USERS + 1}


def test_as_many_users_as_a_pair_needs_are_believed_where_nobody_says_otherwise(spark, tmp_path: Path):
    pairs = active(mined(tmp_path / "log", attacked_log(MIN_USERS)))
    assert (ATTACKED[3], WANTED) in pairs
    assert (ATTACKED[0], f"play {SONGS[0]}") in pairs
    assert "stop the music" not in {source for source, _ in pairs}


def estimates(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[float, float]]:
    return {(r["source"], r["rewrite"]): (r["p_success_source"], r["p_success_rewrite"]) for r in rows}


def test_a_thousand_visits_of_one_user_count_as_the_cap(spark, tmp_path: Path):
    def with_visits(n: int) -> dict[tuple[str, str], tuple[float, float]]:
        log = honest_log()
        for _ in range(n):
            log.session("loud", (f"play {SONGS[2]}", False, "play"))
            log.session("loud", (f"pay {SONGS[3]}", True, "play"))
        return estimates(mined(tmp_path / f"loud{n}", log))

    none, few, many = (with_visits(n) for n in (0, int(CAP), 1000))
    failed, worked = (f"pay {SONGS[2]}", f"play {SONGS[2]}"), (f"pay {SONGS[3]}", f"play {SONGS[3]}")
    assert set(few) == set(many)
    assert none[failed][1] - few[failed][1] > 0.02
    assert few[worked][0] - none[worked][0] > 0.02
    for pair, estimate in few.items():
        assert many[pair] == pytest.approx(estimate, abs=0.01)
