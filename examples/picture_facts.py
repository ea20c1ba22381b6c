"""What the pictures show, found in the demo's own output: a session, its pair, its chain, a later request, the effect.

Everything is chosen by a rule, so the same demo gives the same pictures. The log is counted and its chain solved by the
very code that mined the pairs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy import sparse

from examples.picture_mined import Mined, mined_of
from jobs.evidence import read_evidence
from jobs.storage import read_arrow
from rewriter.config import settings_of
from rewriter.errors import RewriterError
from rewriter.markov.absorption import series_rows
from rewriter.markov.chain import Chain, chain_of
from rewriter.markov.counts import Floats
from rewriter.markov.rewrites import WINS
from rewriter.markov.states import state_number
from rewriter.markov.support import UNDERSTOOD
from rewriter.parquet import parquet_files
from rewriter.settings import Settings
from rewriter.text import normalise
from schemas.tables import REWRITE_PAIRS

_TOLERANCE = 1e-9
#: How far the share found may be from the published one, which was solved to 1e-6.
_SAME_SHARE = 1e-4
#: Wordings, and ways to success, that get a box of their own in the chain; the rest share one.
SHOWN, ENDS = 5, 4
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
class Said:
    """What users say after the source; shares are of all users of the source.

    Attributes
    ----------
    text : the words, empty for several states added up
    step : chance that it directly follows the source
    failing : share that ends in failure with these words last
    leads : share that goes on from here to success by each of the chain's ends, the other ends last
    """

    text: str
    step: float
    failing: float
    leads: tuple[float, ...]


@dataclass(frozen=True)
class End:
    """A state that success passes through last: what was understood, or words that nothing is known to be read as."""

    text: str
    is_reading: bool
    C: float


@dataclass(frozen=True)
class Solved:
    """One solved row of the chain.

    Attributes
    ----------
    source : its words
    at_once : Said
        Users who say nothing else.
    said : what they say next, most visited first
    others : Said
        All other wordings added up, ``n_others``.
    ends : the chosen rewrite, then the others by C
    other_ends : End
        All others added up, ``n_other_ends``.
    """

    source: str
    at_once: Said
    said: tuple[Said, ...]
    others: Said
    n_others: int
    ends: tuple[End, ...]
    other_ends: End
    n_other_ends: int

    @property
    def success(self) -> float:
        """The chance of ending in success from the source, B_iS."""
        return self.other_ends.C + sum(end.C for end in self.ends)


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


def read_mined(demo: Demo) -> Mined:
    """The demo's log, counted again from the tables that its pairs were mined from."""
    warehouse = demo.folder / "warehouse"
    defects, rephrases = (warehouse / "tables" / name for name in ("defects", "rephrases"))
    model, turns = warehouse / "models/rephrase", demo.folder / "log/turns"
    evidence = read_evidence(turns, defects, rephrases, model, demo.settings)
    return mined_of(evidence, demo.settings, warehouse / "pictures")


def choose_story(demo: Demo, mined: Mined) -> Story:
    """The mined pair with the most users that also repaired a live request; ties go to the first in the alphabet.

    A pair that stays because it wins live is none of them: the chain does not show why.
    In the session the failed source is directly followed by a turn that was read as the rewrite is; one in the rewrite's own
    words is preferred, then the shortest, then one that the user interrupted. The live request is the first repaired one of
    somebody else.

    Raises
    ------
    RewriterError
        If no pair was both mined and repaired a live request.
    """
    won = demo.live[(demo.live["layer"] == "precomputed") & ~demo.live["success_as_is"] & demo.live["success_as_served"]]
    active = demo.pairs[(demo.pairs["status"] == "active") & (demo.pairs["reason"] != WINS)]
    for _, pair in active.sort_values(["support_users", "source"], ascending=[False, True]).iterrows():
        repaired = won[(won["state"] == pair["source"]) & (won["served"] == pair["rewrite"])].sort_values("turn_id")
        told = sessions_of(demo.log, mined, pair)
        if len(repaired) and len(told):
            failed = told.iloc[0]
            rephrase = demo.log.set_index("turn_id", drop=False).loc[failed["rephrase_turn_id"]]
            others = repaired[repaired["user_id"] != failed["user_id"]]
            later = (others if len(others) else repaired).sort_values("at").iloc[0]
            return Story(pair, failed, rephrase, later)
    raise RewriterError(f"no mined pair repaired a live request in {demo.folder}: there is no story to draw")


def sessions_of(log: pd.DataFrame, mined: Mined, pair: pd.Series) -> pd.DataFrame:
    """Failed turns of the pair's source, directly followed by one that was read as the rewrite; the clearest first."""
    source, words = (state_number(pair["locale"], pair[side]) for side in ("source", "rewrite"))
    steps, target = mined.steps, mined.target(pair)
    followed = steps["rephrase_turn_id"].isin(set(log.loc[log["response_status"] == "ok", "turn_id"]))
    is_meant = (steps["meant"] == target) | (steps["said"] == target)
    direct = (steps["wording"] == source) & (steps["defect"] >= UNDERSTOOD) & followed & is_meant
    found = steps[direct].merge(log, on="turn_id")
    turns = found["session_id"].map(log["session_id"].value_counts())
    patient = ~found["barge_in"].fillna(False).astype(bool)
    found = found.assign(turns=turns, patient=patient, other_words=found["said"] != words)
    clearest: pd.DataFrame = found.sort_values(["other_words", "turns", "patient", "at", "turn_id"])
    return clearest


def solve(mined: Mined, pair: pd.Series) -> Solved:
    """The solved row of the chain of the pair's source.

    Raises
    ------
    RewriterError
        If the share found here is not the one the pair was published with: the tables are not of one run.
    """
    chain = chain_of(mined.counts)
    source, chosen = mined.place(state_number(pair["locale"], pair["source"])), mined.place(mined.target(pair))
    passing = _row(chain, source)
    share = passing[chosen] / passing.sum()
    if abs(share - pair["share"]) > _SAME_SHARE:
        raise RewriterError(
            f"share of '{pair['rewrite']}' is {share:.4f} by the tables but {pair['share']:.4f} as published"
        )
    failing = _row(replace(chain, R=chain.R[:, ::-1]), source)
    solved = _flows(mined, chain, (source, chosen), passing, failing)
    first = replace(solved.ends[0], text=str(pair["rewrite"]))
    return replace(solved, ends=(first, *solved.ends[1:]))


def _row(chain: Chain, source: int) -> Floats:
    C = series_rows(chain, np.array([source]), _TOLERANCE).C
    row: Floats = C.toarray().ravel()
    return row


def _flows(mined: Mined, chain: Chain, sides: tuple[int, int], passing: Floats, failing: Floats) -> Solved:
    """What flows from the source's users through each state, and where it ends."""
    (source, chosen), texts, ended = sides, mined.texts, chain.R.sum(axis=1)
    # C = N R for either end, so this is N: how often a user of the source comes by each state.
    visits = np.divide(passing + failing, ended, out=np.zeros(len(ended)), where=ended > 0)
    onward = sparse.diags_array(visits) @ chain.Q @ sparse.diags_array(mined.is_reading.astype(float))
    reached = (onward + sparse.diags_array(np.where(mined.is_reading, 0.0, passing))).tocsr()
    step = chain.Q[[source]].toarray().ravel()
    ends = sorted(np.flatnonzero(passing > 0).tolist(), key=lambda j: (j != chosen, -passing[j], texts[j]))
    wordings = np.flatnonzero((visits > 0) & ~mined.is_reading).tolist()
    said = sorted((k for k in wordings if k != source), key=lambda k: (-visits[k], texts[k]))

    def of(states: list[int], text: str, chance: float) -> Said:
        leads = np.asarray(reached[states].sum(axis=0)).ravel()
        shown = leads[ends[:ENDS]].tolist()
        return Said(text, chance, float(failing[states].sum()), (*shown, float(leads.sum() - sum(shown))))

    return Solved(
        texts[source],
        of([source], "", float(ended[source] + step[mined.is_reading].sum())),
        tuple(of([k], texts[k], float(step[k])) for k in said[:SHOWN]),
        of(said[SHOWN:], "", float(step[said[SHOWN:]].sum())),
        len(said[SHOWN:]),
        tuple(End(texts[j], bool(mined.is_reading[j]), float(passing[j])) for j in ends[:ENDS]),
        End("", True, float(passing[ends[ENDS:]].sum())),
        len(ends[ENDS:]),
    )
