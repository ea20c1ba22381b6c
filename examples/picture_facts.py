"""What the pictures show, found in the demo's own output: a session, its pair, its chain, a later request, the effect.

Everything is chosen by a rule, so the same demo gives the same pictures. The chain is counted here with pandas by the
formulas of `rewriter/markov/visits.py`, for the demo's log, in which nothing was rewritten yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from jobs.storage import read_arrow
from rewriter.errors import RewriterError
from rewriter.markov.absorption import series_rows
from rewriter.markov.chain import Chain, chain_of, without_states
from rewriter.markov.counts import Counts, counts_of, sums
from rewriter.markov.hubs import entropy_of, is_hub
from rewriter.parquet import parquet_files
from rewriter.settings import Settings, settings_of
from rewriter.text import normalise
from schemas.tables import REWRITE_PAIRS

_UNIT = 1e6
_TOLERANCE = 1e-9
#: Successors that get a box of their own in the chain; the rest share one.
SHOWN = 5
_WORDS = ["turn_id", "user_id", "session_id", "at", "locale", "utterance", "response", "response_status", "barge_in"]


@dataclass(frozen=True)
class Demo:
    """The demo's output: result, published pairs, log with states, live turns with their true outcomes."""

    folder: Path
    result: dict[str, Any]
    settings: Settings
    pairs: pd.DataFrame
    log: pd.DataFrame
    live: pd.DataFrame


@dataclass(frozen=True)
class Story:
    """One pair, a session it was mined from (failed turn, rephrase), and a live request that it repaired."""

    pair: pd.Series
    failed: pd.Series
    rephrase: pd.Series
    repaired: pd.Series


@dataclass(frozen=True)
class Successor:
    """A state after the source: chance to step there at once, to succeed and fail there last, and to succeed if there."""

    text: str
    step: float
    passing: float
    failing: float
    at_once: float


@dataclass(frozen=True)
class Solved:
    """One solved row of the chain: the source itself, its strongest successors, and the others added up."""

    source: Successor
    successors: tuple[Successor, ...]
    others: Successor
    n_others: int
    chosen: str

    @property
    def success(self) -> float:
        """The chance of ending in success from the source, B_iS."""
        return self.source.passing + self.others.passing + sum(s.passing for s in self.successors)


def _frame(path: Path, columns: list[str]) -> pd.DataFrame:
    tables = [pq.read_table(file, columns=columns, partitioning=None) for file in parquet_files(path)]
    whole: pd.DataFrame = pd.concat([t.to_pandas() for t in tables], ignore_index=True)
    return whole


def read_demo(folder: Path) -> Demo:
    """The output of `make demo`.

    Raises
    ------
    RewriterError
        If the demo has not run to its end, naming what is missing.
    """
    warehouse = folder / "warehouse"
    needed = [folder / "result.json", warehouse / "run.json", folder / "log/turns", folder / "live/turns"]
    missing = [str(path) for path in needed if not path.exists()]
    if missing:
        raise RewriterError(f"the demo has not run to its end: no {', '.join(missing)}; run `make demo` first")
    record = json.loads((warehouse / "run.json").read_text("utf-8"))
    log = _frame(folder / "log/turns", _WORDS)
    live = _frame(folder / "live/turns", [*_WORDS, "rewrite"])
    truth = _frame(folder / "live/outcomes", ["turn_id", "layer", "served", "arm", "success_as_is", "success_as_served"])
    for turns in (log, live):
        known = {text: normalise(text) for text in turns["utterance"].unique()}
        turns["state"] = turns["utterance"].map(known)
    return Demo(
        folder,
        json.loads((folder / "result.json").read_text("utf-8")),
        settings_of(record["settings"], str(warehouse / "run.json")),
        read_arrow(warehouse / "tables/rewrite_pairs", REWRITE_PAIRS).to_pandas(),
        log,
        live.merge(truth, on="turn_id"),
    )


def visits_of(demo: Demo) -> pd.DataFrame:
    """One row a turn of the log: state, defect, detected rephrase (``target``, ``weight``) and capped ``scale``."""
    mine, models = demo.settings.mine, demo.folder / "warehouse/models"
    decision = json.loads((models / "rephrase/decision.json").read_text("utf-8"))
    threshold = mine.min_rephrase_probability or float(decision["threshold"])
    tables = demo.folder / "warehouse/tables"
    defects = _frame(tables / "defects", ["turn_id", "defect"])
    links = _frame(tables / "rephrases", ["turn_id", "rephrase_turn_id", "probability"]).dropna()
    links = links[links["probability"] >= threshold].rename(columns={"probability": "weight"})
    target = demo.log[["turn_id", "state"]].set_axis(["rephrase_turn_id", "target"], axis=1)
    heard = demo.log[demo.log["state"] != ""]
    visits = heard.merge(defects, "left", "turn_id").merge(links.merge(target, on="rephrase_turn_id"), "left", "turn_id")
    visits["weight"] = visits["weight"].fillna(0.0).astype(float)
    visits["defect"] = visits["defect"].fillna(0.0).astype(float)
    day = visits["at"].dt.normalize()
    age = (day.max() - day).dt.days
    decay = 0.5 ** (age / mine.half_life_days) if mine.half_life_days > 0 else pd.Series(1.0, visits.index)
    given = decay * (1.0 - visits["weight"].where(visits["target"] == visits["state"], 0.0))
    own = (given * _UNIT).round().groupby([visits["locale"], visits["user_id"], visits["state"]]).transform("sum") / _UNIT
    visits["scale"] = decay * np.minimum(1.0, mine.user_cap / np.maximum(own, 1e-9))
    return visits


def counts_of_visits(visits: pd.DataFrame) -> tuple[Counts, tuple[str, ...]]:
    """The chain's counts of one locale, and the names of its states."""
    moved = visits[visits["target"].notna() & (visits["target"] != visits["state"])]
    weight = (moved["scale"] * moved["weight"] * _UNIT).round() / _UNIT
    stay = visits["scale"] * (1.0 - visits["weight"])
    success = (stay * (1.0 - visits["defect"]) * _UNIT).round() / _UNIT
    failure = (stay * visits["defect"] * _UNIT).round() / _UNIT
    return counts_of(
        zip(moved["state"], moved["target"], weight, strict=True), zip(visits["state"], success, failure, strict=True)
    )


def choose_story(demo: Demo, visits: pd.DataFrame) -> Story:
    """The mined pair with the most users that also repaired a live request; ties go to the first in the alphabet.

    The session is the shortest in which the rewrite directly follows the failed source, the user's interruption preferred;
    the live request is the first repaired one of somebody else.

    Raises
    ------
    RewriterError
        If no pair was both mined and repaired a live request.
    """
    won = demo.live[(demo.live["layer"] == "precomputed") & ~demo.live["success_as_is"] & demo.live["success_as_served"]]
    active = demo.pairs[demo.pairs["status"] == "active"]
    for _, pair in active.sort_values(["support_users", "source"], ascending=[False, True]).iterrows():
        repaired = won[(won["state"] == pair["source"]) & (won["served"] == pair["rewrite"])].sort_values("turn_id")
        told = _sessions(visits, pair)
        if len(repaired) and len(told):
            failed = told.iloc[0]
            rephrase = demo.log.set_index("turn_id", drop=False).loc[failed["rephrase_turn_id"]]
            others = repaired[repaired["user_id"] != failed["user_id"]]
            later = (others if len(others) else repaired).sort_values("at").iloc[0]
            return Story(pair, failed, rephrase, later)
    raise RewriterError(f"no mined pair repaired a live request in {demo.folder}: there is no story to draw")


def _sessions(visits: pd.DataFrame, pair: pd.Series) -> pd.DataFrame:
    """Failed turns of the pair's source that its rewrite directly follows, the clearest sessions first."""
    turns = visits.groupby("session_id")["turn_id"].transform("size")
    direct = (visits["state"] == pair["source"]) & (visits["target"] == pair["rewrite"]) & (visits["defect"] >= 0.5)
    found = visits[direct].assign(turns=turns, patient=~visits["barge_in"].fillna(False).astype(bool))
    succeeded = set(visits.loc[visits["response_status"] == "ok", "turn_id"])
    found = found[found["rephrase_turn_id"].isin(succeeded)]
    clearest: pd.DataFrame = found.sort_values(["turns", "patient", "at", "turn_id"])
    return clearest


def solve(demo: Demo, visits: pd.DataFrame, pair: pd.Series) -> Solved:
    """The solved row of the chain of the pair's source.

    Raises
    ------
    RewriterError
        If the share found here is not the one the pair was published with: the tables are not of one run.
    """
    counts, names = counts_of_visits(visits[visits["locale"] == pair["locale"]])
    chain = chain_of(without_states(counts, _hubs(counts, demo.settings.mine.min_states_for_hubs)))
    source = names.index(pair["source"])
    passing = _row(chain, source)
    failing = _row(replace(chain, R=chain.R[:, ::-1]), source)
    rewrite = names.index(pair["rewrite"])
    share = passing[rewrite] / passing.sum()
    if abs(share - pair["share"]) > 1e-3:
        raise RewriterError(
            f"share of '{pair['rewrite']}' is {share:.4f} by the tables but {pair['share']:.4f} as published"
        )
    step = chain.Q[[source]].toarray().ravel()
    # The rewrite comes first; the strongest of the others are those that take the most of the users.
    order = sorted(range(len(step)), key=lambda j: (j != rewrite, -(passing[j] + failing[j]), names[j]))
    after = [j for j in order if j != source and passing[j] + failing[j] > 0]

    def successor(j: int) -> Successor:
        return Successor(names[j], float(step[j]), float(passing[j]), float(failing[j]), float(chain.R[j, 0]))

    rest = after[SHOWN:]
    stepping, good, bad = (float(a[rest].sum()) for a in (step, passing, failing))
    others = Successor("", stepping, good, bad, good / max(good + bad, 1e-12))
    shown = tuple(successor(j) for j in after[:SHOWN])
    return Solved(successor(source), shown, others, len(rest), str(pair["rewrite"]))


def _hubs(counts: Counts, min_states: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which states of one locale's log lead anywhere."""
    n, outgoing = counts.n_states, counts.outgoing
    if n < min_states or not len(counts.weight):
        return np.zeros(n, bool)
    incoming = sums(counts.target, counts.weight, n)
    held = incoming[incoming > 0]
    whole = entropy_of(held.sum(keepdims=True), (held * np.log(held)).sum(keepdims=True))
    return is_hub(outgoing, entropy_of(outgoing, sums(counts.source, counts.weight * np.log(counts.weight), n)), whole)


def _row(chain: Chain, source: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    C = series_rows(chain, np.array([source]), _TOLERANCE).C
    row: np.ndarray[Any, np.dtype[np.float64]] = C.toarray().ravel()
    return row
