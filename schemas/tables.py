"""Every table of the pipeline, declared once. Spark types derive from these (``schemas.spark``)."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Table

_S = pa.string()
_F = pa.float32()
_D = pa.float64()
_N = pa.int64()
AT = pa.timestamp("us", tz="UTC")
STRINGS = pa.map_(_S, _S)
NBEST = pa.list_(pa.struct([("text", _S), ("score", _F)]))
REWRITE = pa.struct(
    [("rewrite_id", _S), ("served", _S), ("layer", _S), ("arm", _S), ("propensity", _F), ("bundle_version", _S)]
)


def _field(name: str, kind: pa.DataType) -> pa.Field:
    """A column that must be present and not null."""
    return pa.field(name, kind, nullable=False)


#: The only input contract: one row a user turn.
TURNS = Table(
    "turns",
    pa.schema(
        [
            _field("turn_id", _S),
            _field("user_id", _S),
            ("session_id", _S),
            ("turn_index", pa.int32()),
            _field("at", AT),
            _field("locale", _S),
            ("device", _S),
            _field("utterance", _S),
            ("asr_confidence", _F),
            ("asr_nbest", NBEST),
            ("domain", _S),
            ("intent", _S),
            ("slots", STRINGS),
            ("nlu_confidence", _F),
            ("response", _S),
            ("response_status", _S),
            ("barge_in", pa.bool_()),
            ("feedback", _S),
            ("context", STRINGS),
            ("rewrite", REWRITE),
        ]
    ),
    key=("turn_id",),
    partitions=("day",),
)

#: Values of `turns.response_status`, of `turns.feedback` and of the arms of `turns.rewrite`.
RESPONSE_STATUSES = ("ok", "no_result", "error", "fallback", "unsupported")
FEEDBACKS = ("positive", "negative")
ARMS = ("treatment", "holdout", "control")

#: Rows an import could not use, whole, with every reason.
QUARANTINE = Table(
    "quarantine",
    pa.schema([_field("source", _S), _field("row", _N), _field("reasons", pa.list_(_S)), _field("raw", _S)]),
    key=("source", "row"),
)

#: Was this turn a failure? One row a turn.
DEFECTS = Table(
    "defects",
    pa.schema(
        [
            _field("turn_id", _S),
            _field("defect", _F),  # probability that the turn failed
            _field("defective", pa.bool_()),
            ("failure_point", _S),
            _field("signals", pa.list_(_S)),
        ]
    ),
    key=("turn_id",),
    partitions=("day",),
)

#: The best later turn that says the same again; null only where no turn lies in the window.
REPHRASES = Table(
    "rephrases",
    pa.schema(
        [
            _field("turn_id", _S),
            ("rephrase_turn_id", _S),
            _field("probability", _F),
            ("gap_s", _F),
            _field("model_version", _S),
        ]
    ),
    key=("turn_id",),
    partitions=("day",),
)

#: Mined `request -> rewrite` pairs, the rejected ones with their reason.
REWRITE_PAIRS = Table(
    "rewrite_pairs",
    pa.schema(
        [
            _field("locale", _S),
            _field("source", _S),
            _field("rewrite", _S),
            _field("p_success_source", _D),
            _field("p_success_rewrite", _D),
            _field("lift", _D),
            _field("lift_lower", _D),
            _field("share", _D),
            _field("support_users", _N),
            _field("support_sessions", _N),
            ("support_days", _N),
            _field("certified", pa.bool_()),
            _field("status", _S),
            _field("reason", _S),
            _field("model_version", _S),
            _field("first_seen", AT),
            _field("last_seen", AT),
            ("domain", _S),  # of the rewrite, as NLU mostly read it
            ("intent", _S),
        ]
    ),
    key=("locale", "source", "rewrite"),
)
PAIR_STATUSES = ("active", "pending", "rejected", "blocked", "expired")

#: Successful requests of everybody (scope `global`) or of one user (scope = user_id), with their statistics.
INDEX_ENTRIES = Table(
    "index_entries",
    pa.schema(
        [
            _field("scope", _S),
            _field("locale", _S),
            _field("utterance", _S),  # normalised
            ("domain", _S),
            ("intent", _S),
            ("slots", STRINGS),
            _field("n_success", _N),
            _field("n_defect", _N),
            _field("n_users", _N),
            _field("last_seen", AT),
        ]
    ),
    key=("scope", "locale", "utterance"),
)

#: Win/loss of a segment; `basis` says whether it was measured live or by the proxy on held-out days.
WIN_LOSS = Table(
    "win_loss",
    pa.schema(
        [
            _field("basis", _S),  # live or proxy
            _field("layer", _S),  # precomputed, personal, global, alternative or all
            _field("domain", _S),  # or all
            _field("n", _N),  # requests of the segment
            _field("rewritten", _N),
            _field("wins", _N),
            _field("losses", _N),
            _field("ties", _N),
            _field("undecided", _N),
            ("ratio", _D),  # null without losses
            _field("ratio_low", _D),
            ("ratio_high", _D),
            _field("defect_delta", _D),  # change of the defect rate of the segment, wins and losses only
            ("threshold", _D),
        ]
    ),
    key=("basis", "layer", "domain"),
)

#: One row an answer of the run-time service.
DECISIONS = Table(
    "decisions",
    pa.schema(
        [
            _field("request_id", _S),
            _field("at", AT),
            ("user_id", _S),
            ("session_id", _S),
            _field("locale", _S),
            _field("utterance", _S),
            ("rewrite", _S),
            _field("source", _S),
            ("rewrite_id", _S),
            ("probability", _F),
            _field("reason", _S),
            ("bundle_version", _S),
            ("arm", _S),
            ("propensity", _F),
            _field("total_ms", _F),
        ]
    ),
    key=("request_id",),
    partitions=("day",),
)

#: What the simulator knows and the pipeline never reads: one row a turn.
TRUTH = Table(
    "truth",
    pa.schema(
        [
            _field("turn_id", _S),
            _field("goal", _S),
            _field("defective", pa.bool_()),
            ("rephrase_of", _S),  # turn_id of the failed turn that this one says again
            _field("intended_utterance", _S),  # what the user said, before recognition
        ]
    ),
    key=("turn_id",),
)

#: Rewrites that would help, by the simulator's own rules.
TRUTH_PAIRS = Table(
    "truth_pairs",
    pa.schema(
        [
            _field("source", _S),
            _field("rewrite", _S),
            _field("p_success_source", _D),
            _field("p_success_rewrite", _D),
            _field("n_users", _N),
            _field("n_repair_users", _N),  # failed with it and reached the same goal in other words later in the session
        ]
    ),
    key=("source", "rewrite"),
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        TURNS,
        QUARANTINE,
        DEFECTS,
        REPHRASES,
        REWRITE_PAIRS,
        INDEX_ENTRIES,
        WIN_LOSS,
        DECISIONS,
        TRUTH,
        TRUTH_PAIRS,
    )
}
