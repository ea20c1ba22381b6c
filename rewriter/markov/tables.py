"""One locale's counted tables in, its judged pairs out: the edge between Arrow and the chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rewriter.markov.awareness import Served, with_served
from rewriter.markov.counts import Counts, Ints, counts_of
from rewriter.markov.evidence import Support
from rewriter.markov.rewrites import Mined, Pair, Refusal, mine
from rewriter.settings import Mine
from schemas.tables import AT, REWRITE_PAIRS


@dataclass(frozen=True)
class Counted:
    """The counted tables of one locale (columns as `jobs.rephrase_counts` names them, without ``locale``)."""

    transitions: pa.Table
    outcomes: pa.Table
    served: pa.Table
    domains: pa.Table
    support: pa.Table


def _columns(table: pa.Table, *names: str) -> list[list[object]]:
    return [table.column(name).to_pylist() for name in names]


def _numbers(texts: list[object], number: dict[str, int]) -> Ints:
    return np.array([number[str(t)] for t in texts], np.int64)


def counts_of_tables(counted: Counted) -> Counts:
    """The counts of one locale, every state of every table among them."""
    transitions = zip(*_columns(counted.transitions, "source", "target", "weight"), strict=True)
    outcomes = [*zip(*_columns(counted.outcomes, "state", "success", "failure"), strict=True)]
    # A served rewrite, or the end of a chain, may never have been said as it is.
    mentioned = {s for t in (counted.served, counted.support) for c in t.column_names[:2] for s in t.column(c).to_pylist()}
    outcomes += [(state, 0.0, 0.0) for state in sorted(mentioned)]
    return counts_of(transitions, outcomes)  # type: ignore[arg-type]


def mine_locale(
    locale: str, counted: Counted, settings: Mine, refuse: Refusal, model_version: str
) -> tuple[pa.Table, Mined]:
    """Judge the pairs of one locale; returns REWRITE_PAIRS rows and the solved chain."""
    counts = counts_of_tables(counted)
    number = {state: k for k, state in enumerate(counts.states)}
    served = Served(
        _numbers(counted.served.column("source").to_pylist(), number),
        _numbers(counted.served.column("target").to_pylist(), number),
        np.array(counted.served.column("success").to_pylist(), np.float64),
        np.array(counted.served.column("failure").to_pylist(), np.float64),
    )
    losing = {(counts.states[i], counts.states[j]) for i, j in served.losing(counts)}
    reading = {s: (d, i) for s, d, i in zip(*_columns(counted.domains, "state", "domain", "intent"), strict=True)}
    names = [str(reading.get(s, ("", ""))[0] or "") for s in counts.states]
    _, domains = np.unique(np.array(names), return_inverse=True)
    rows = {name: counted.support.column(name).to_pylist() for name in counted.support.column_names}
    support = Support(
        _numbers(rows["source"], number),
        _numbers(rows["rewrite"], number),
        *(np.array(rows[name], np.int64) for name in ("users", "sessions", "days", "first_seen", "last_seen")),
    )

    def refuse_pair(source: str, rewrite: str) -> str:
        return "loses live" if (source, rewrite) in losing else refuse(source, rewrite)

    mined = mine(with_served(counts, served), support, domains, settings, refuse_pair)
    return _pairs_table(locale, mined, support, reading, model_version), mined


def _pairs_table(
    locale: str, mined: Mined, support: Support, reading: dict[object, tuple[object, object]], model_version: str
) -> pa.Table:
    states = mined.chain.states

    def row(pair: Pair) -> dict[str, object]:
        k, rewrite = pair.support, states[pair.rewrite]
        domain, intent = reading.get(rewrite, (None, None))
        return {
            "locale": locale,
            "source": states[pair.source],
            "rewrite": rewrite,
            "p_success_source": pair.p_success_source,
            "p_success_rewrite": pair.p_success_rewrite,
            "lift": pair.lift,
            "lift_lower": pair.lift_lower,
            "share": pair.share,
            "support_users": int(support.users[k]),
            "support_sessions": int(support.sessions[k]),
            "support_days": int(support.days[k]),
            "certified": pair.certified,
            "status": pair.status,
            "reason": pair.reason,
            "model_version": model_version,
            "first_seen": pa.scalar(int(support.first_seen[k]), pa.int64()).cast(AT).as_py(),
            "last_seen": pa.scalar(int(support.last_seen[k]), pa.int64()).cast(AT).as_py(),
            "domain": domain,
            "intent": intent,
        }

    return pa.Table.from_pylist([row(pair) for pair in mined.pairs], REWRITE_PAIRS.schema)
