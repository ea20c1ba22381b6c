"""Every setting of the pipeline with its default, unit and reason; `rewriter.config` reads and prints them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

_SHARES = ("probability", "0..1", "share", "defect probability", "of the log's days")


def _set(
    default: Any, unit: str, why: str, low: float | None = None, inside: bool = False, choices: tuple[str, ...] = ()
) -> Any:
    """A setting from ``low`` (by default 1 for a count, else 0) to 1 for a share; ``inside``: neither bound itself."""
    if low is None:
        low = 1 if isinstance(default, int) else 0
    high = 1 if unit.startswith(_SHARES) else sys.float_info.max
    bounds = {"low": low, "high": high, "inside": inside, "choices": choices}
    return field(default=default, metadata={"unit": unit, "why": why} | bounds)


@dataclass(frozen=True)
class Sessions:
    """How turns become sessions."""

    max_gap_s: float = _set(45.0, "seconds", "a longer silence ends a session; voice users retry within seconds")


@dataclass(frozen=True)
class Defects:
    """When a turn counts as failed."""

    threshold: float = _set(0.5, "probability", "a turn is defective from here on")
    quick_repeat_s: float = _set(20.0, "seconds", "a similar request within this time says the first one failed")
    repeat_similarity: float = _set(0.6, "0..1", "edit or sound similarity from which a quick repeat counts as a repeat")
    low_confidence: float = _set(0.5, "probability", "an NLU confidence below this is a signal")
    low_asr_confidence: float = _set(
        0.3, "probability", "a recogniser's confidence below this is a signal; its scale varies more"
    )
    swapped_fails: float = _set(
        0.5,
        "probability",
        "that an answer failed which fits no better than another dialogue's; a judgement, read only in a log without "
        "confidences and statuses: many answers fit anywhere",
    )


@dataclass(frozen=True)
class Rephrase:
    """The span model that finds rephrases."""

    window_turns: int = _set(3, "turns", "how many following turns may hold the rephrase")
    max_length: int = _set(96, "tokens", "longer inputs lose their oldest response text first")
    self_training: bool = _set(
        False,
        "on/off",
        "a second round on labels that the first model has moved, kept if held-out labels like it; twice the time",
    )
    weak_similarity: float = _set(0.6, "0..1", "wording or sound similarity that speaks neither for nor against a rephrase")


@dataclass(frozen=True)
class Mine:
    """Absorbing Markov chain and the evidence a pair needs."""

    min_users: int = _set(10, "users", "distinct users behind a published pair: fewer could be a habit or a prank")
    min_sessions: int = _set(10, "sessions", "sessions behind a published pair")
    min_days: int = _set(2, "days", "a pair seen on one day may be an outage or an event")
    half_life_days: float = _set(0.0, "days; 0 = no decay", "age at which a session weighs half")
    user_cap: float = _set(3.0, "requests", "most weight one user may give to one state", low=0.1)
    user_total_cap: float = _set(1000.0, "requests", "most weight one user may give to the log: more is a machine", low=1)
    min_rephrase_probability: float = _set(0.0, "probability; 0 = the model's own threshold", "weaker rephrases are ignored")
    confidence: float = _set(0.95, "probability", "one-sided confidence of the lower bound of the lift", inside=True)
    min_lift: float = _set(0.0, "probability", "lower bound of the lift a pair must exceed", low=-1)
    prior_strength: float = _set(4.0, "requests", "weight of the domain's mean in a state's success estimate")
    min_states_for_hubs: int = _set(100, "states", "smaller logs are too small to tell a hub", low=0)
    tolerance: float = _set(1e-6, "probability", "error of C that is worth no more work once the best rewrite is proven")
    states: str = _set(
        "interpretation",
        "'interpretation' or 'wording'",
        "pool all wordings that NLU reads alike into one target and publish the best of them, or keep each apart",
        choices=("interpretation", "wording"),
    )
    defect_passes: int = _set(3, "passes; 0 = off", "correct defects by how often a wording is left for other words", low=0)
    min_majority: float = _set(0.5, "share of the users who say it otherwise", "who must mean the rewrite, one vote each")
    min_user_share: float = _set(0.0, "share of the users who say it", "who must come to be understood as the rewrite is")
    min_rewrite_success: float = _set(0.5, "probability", "a rewrite that succeeds no more often is none")
    self_aware: bool = _set(
        True, "on/off", "correct the counts for the rewrites that were served; off only to measure what it does"
    )
    max_driver_edges: int = _set(5_000_000, "transitions", "more are solved in Spark tasks, never collected in one place")
    edges_per_task: int = _set(500_000, "transitions", "of small components packed into one task")
    max_component_edges: int = _set(
        5_000_000, "transitions", "a component with more is broadcast, and its sources are solved in blocks by all tasks"
    )
    max_source_success: float = _set(0.8, "probability", "a request that succeeds more often than this is left alone")
    max_understood_success: float = _set(0.5, "probability", "the same for a request that is mostly read as the rewrite is")


@dataclass(frozen=True)
class Privacy:
    """What keeps one user's words out of another's answers."""

    min_users_global: int = _set(5, "users", "distinct users before an utterance enters the global index")


@dataclass(frozen=True)
class Personal:
    """The personal index."""

    max_entries: int = _set(200, "requests a user", "most recent distinct successful requests kept")
    max_age_days: float = _set(
        365.0, "days", "older habits are forgotten; counted from the log's last success, not the clock"
    )


@dataclass(frozen=True)
class Retrieval:
    """Candidates from the indexes."""

    k_global: int = _set(8, "candidates", "taken from the global index")
    k_letters: int = _set(
        6, "candidates", "taken from the global index by letters and sounds: what was misheard has lost its meaning", low=0
    )
    k_personal: int = _set(5, "candidates", "taken from the user's own index")
    k_alternative: int = _set(4, "candidates", "the recogniser's next hypotheses: the right one is rarely deeper", low=0)
    k_cross_encoder: int = _set(
        3,
        "candidates; 0 = none is trained",
        "read by the cross-encoder, best first: its cost is the service's greatest",
        low=0,
    )
    layers_cross_encoder: int = _set(
        1,
        "layers; 0 = all",
        "the first of the encoder's that the cross-encoder keeps; its time grows with them, and more tell hardly more",
        low=0,
    )
    layers_encoder: int = _set(
        0,
        "layers; 0 = all",
        "the first of the encoder's that the bi-encoder keeps; its time grows with them, and so does what it finds",
        low=0,
    )
    max_length: int = _set(32, "tokens", "of a request; longer ones lose their end")
    train_steps: int = _set(64, "steps", "of the bi-encoder, at most [train] max_steps; recall rises little after these")
    train_corpus: int = _set(
        3000, "requests", "known to succeed: hard negatives come from them, and recall is tested on them"
    )
    test_queries: int = _set(500, "rephrases", "of the last days that teach, to compare trained and pretrained weights")
    max_defect: float = _set(0.3, "probability", "a turn counts as a success of its request up to this defect probability")
    flat_limit: int = _set(10000, "entries", "a larger global index is searched in part: exact search reads every vector")


@dataclass(frozen=True)
class Decide:
    """The online decision."""

    target_win_loss: float = _set(8.5, "wins to a loss", "lower 95% bound a layer must meet on held-out days, or it is off")
    precomputed: bool = _set(True, "on/off", "mined pairs")
    personal: bool = _set(True, "on/off", "the user's own successful requests")
    global_: bool = field(
        default=True, metadata={"unit": "on/off", "why": "successful requests of everybody", "key": "global"}
    )
    alternative: bool = _set(True, "on/off", "the recogniser's next hypotheses")
    max_request_success: float = _set(0.9, "probability", "a request known to succeed at least so often is left alone")
    min_request_turns: int = _set(5, "turns", "fewer do not show that a request usually succeeds", low=0)
    min_own_successes: int = _set(2, "turns", "a user who succeeded so often with a request knows how to say it")
    min_number_sound: float = _set(0.5, "0..1", "a number a rewrite adds must sound so much like a word it replaces")
    min_entity_sound: float = _set(0.5, "0..1", "a known entity may only become another that sounds so much like it")
    min_heard: float = _set(0.5, "share of characters", "a retrieved rewrite this much longer than the request is invention")
    max_alike: float = _set(
        1.0, "0..1", "a likeliest rewrite with a greater edit similarity is not served: NLU mostly reads both alike"
    )
    min_probability: float = _set(
        0.5, "probability", "a retrieved rewrite must be likelier to win than not, however well its layer does on average"
    )
    without_features: tuple[str, ...] = _set(
        (), "names in ranker.json", "the ranker does not weigh them: for ablations, and statistics that mislead in a log"
    )
    min_wins: int = _set(10, "wins", "a layer with fewer on held-out days stays off, whatever their ratio", low=0)
    protected_intents: tuple[str, ...] = _set(
        ("purchase", "buy", "order", "pay", "call", "dial", "send", "lock", "unlock", "delete", "remove", "erase"),
        "words",
        "an intent that holds one of these words is never rewritten, nor a target",
    )
    protected_words: tuple[str, ...] = _set(
        ("yes", "no", "stop", "cancel", "goodbye", "bye", "unlock", "buy", "purchase", "delete", "emergency", "police"),
        "words",
        "a request made only of these, or a rewrite that adds or drops one, is left alone",
    )


@dataclass(frozen=True)
class Evaluate:
    """Held-out days."""

    heldout_share: float = _set(0.25, "of the log's days", "the last days: half rank, half choose thresholds")
    sure_success: float = _set(
        0.1,
        "defect probability",
        "a turn up to here surely succeeded and can show a loss; of those a bit above one in five failed",
    )
    max_requests: int = _set(12000, "requests", "drawn from the evaluation days by hash; more only narrow the interval")


@dataclass(frozen=True)
class Publish:
    """What a new bundle may serve."""

    approval: bool = _set(False, "on/off", "mined pairs wait, pending, until `rewriter approve` lets each one out")


@dataclass(frozen=True)
class Experiment:
    """Arms of the live experiment."""

    control: float = _set(0.02, "share of users", "never rewritten: the permanent holdout that keeps the effect measurable")
    holdout: float = _set(0.05, "share of a pair's traffic", "withheld, so that the next run can compare")


@dataclass(frozen=True)
class Train:
    """Training, by steps and never by the clock."""

    encoder: str = _set("", "folder; empty = packaged all-MiniLM-L6-v2", "any BERT-family folder in the Hugging Face layout")
    max_steps: int = _set(400, "steps", "upper limit for each model")
    batch_size: int = _set(32, "examples", "examples a step")
    learning_rate: float = _set(5e-5, "1", "peak of the linear schedule")
    threads: int = _set(2, "threads", "fixed, because sums change with their number")
    max_rank_requests: int = _set(
        4000, "requests", "that teach the ranker: reworded failures first, then a sample of the rest"
    )


@dataclass(frozen=True)
class Settings:
    """All settings. ``seed`` feeds every random choice of training and index building."""

    seed: int = _set(7, "1", "same log, same settings, same seed: same bytes", low=0)
    sessions: Sessions = field(default_factory=Sessions)
    defects: Defects = field(default_factory=Defects)
    rephrase: Rephrase = field(default_factory=Rephrase)
    mine: Mine = field(default_factory=Mine)
    privacy: Privacy = field(default_factory=Privacy)
    personal: Personal = field(default_factory=Personal)
    retrieval: Retrieval = field(default_factory=Retrieval)
    decide: Decide = field(default_factory=Decide)
    evaluate: Evaluate = field(default_factory=Evaluate)
    publish: Publish = field(default_factory=Publish)
    experiment: Experiment = field(default_factory=Experiment)
    train: Train = field(default_factory=Train)
