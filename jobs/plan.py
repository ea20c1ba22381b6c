"""The plan of a run as plain data: each stage's name, command, inputs, outputs and what must come before it.

`rewriter run` and the Airflow DAG both execute this, and nothing else knows the order.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Stands for the log in a stage's inputs; every other path is relative to the run's folder.
TURNS = "{turns}"


@dataclass(frozen=True)
class Stage:
    """One stage of the plan.

    Attributes
    ----------
    name
        Unique in the plan.
    job
        Module below ``jobs`` whose ``main`` it calls.
    inputs
        (option, path) of what it reads; a path made by another stage makes this one come after it.
    output
        Folder it writes, whole or not at all.
    more_outputs
        (option, path) of further folders.
    days
        Part of the log's days it reads, ``all`` included; None where the job has no such option.
    settings
        Sections of the settings that change its result.
    state
        Files below the run's folder that people change between runs (blocks, approvals) and that change its result.
    """

    name: str
    job: str
    inputs: tuple[tuple[str, str], ...]
    output: str
    more_outputs: tuple[tuple[str, str], ...] = ()
    days: str | None = None
    settings: tuple[str, ...] = ()
    state: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every folder it writes."""
        return (self.output, *(path for _, path in self.more_outputs))


_LOG = ("--turns", TURNS)
_DEFECTS = ("--defects", "tables/defects")
_REPHRASES = ("--rephrases", "tables/rephrases")
_REPHRASE_MODEL = ("--rephrase-model", "models/rephrase")
_ENCODER = ("--encoder", "models/encoder")
_RANKER = ("--ranker", "models/ranker")
_FIT = (("--pairs", "fit/rewrite_pairs"), ("--global", "fit/global"), ("--personal", "fit/personal"))
_LABELLED = (_LOG, _DEFECTS, _REPHRASES, _REPHRASE_MODEL)

_MINE = ("sessions", "mine", "decide", "evaluate")
_INDEX = ("privacy", "personal", "retrieval", "evaluate", "defects", "mine")
_GLOBAL = (*_INDEX, "sessions")
_RANK = ("sessions", "mine", "decide", "retrieval", "evaluate", "train", "personal")
#: Every section of the settings: a bundle stores them all.
_EVERY = (
    "sessions",
    "defects",
    "rephrase",
    "mine",
    "privacy",
    "personal",
    "retrieval",
    "decide",
    "evaluate",
    "publish",
    "experiment",
    "train",
)

#: In an order that satisfies every `after`.
PLAN: tuple[Stage, ...] = (
    Stage(
        "train_defects",
        "train_defects",
        (_LOG,),
        "models/defects",
        days="fit",
        settings=("sessions", "defects", "evaluate", "train"),
    ),
    Stage(
        "label_defects",
        "label_defects",
        (_LOG, ("--model", "models/defects")),
        "tables/defects",
        settings=("sessions", "defects", "evaluate"),
    ),
    Stage(
        "train_rephrase",
        "train_rephrase",
        (_LOG, _DEFECTS),
        "models/rephrase",
        days="fit",
        settings=("sessions", "rephrase", "train", "evaluate", "defects"),
    ),
    Stage(
        "detect_rephrases",
        "detect_rephrases",
        (_LOG, _DEFECTS, ("--model", "models/rephrase")),
        "tables/rephrases",
        settings=("sessions", "rephrase"),
    ),
    Stage("mine_fit", "mine_rewrites", _LABELLED, "fit/rewrite_pairs", days="fit", settings=_MINE),
    Stage(
        "train_encoder",
        "train_encoder",
        _LABELLED,
        "models/encoder",
        days="fit",
        settings=("train", "evaluate", "retrieval", "mine"),
    ),
    Stage("global_fit", "build_global", (_LOG, _DEFECTS, _ENCODER), "fit/global", days="fit", settings=_GLOBAL),
    Stage("personal_fit", "build_personal", (_LOG, _DEFECTS, _ENCODER), "fit/personal", days="fit", settings=_INDEX),
    Stage("train_ranker", "train_ranker", (*_LABELLED, *_FIT, _ENCODER), "models/ranker", days="rank", settings=_RANK),
    Stage(
        "evaluate",
        "evaluate",
        (*_LABELLED, *_FIT, _ENCODER, _RANKER),
        "tables/win_loss",
        more_outputs=(("--decision", "models/decision"),),
        days="evaluate",
        settings=_RANK,
    ),
    Stage("mine_rewrites", "mine_rewrites", _LABELLED, "tables/rewrite_pairs", days="all", settings=_MINE),
    Stage("build_global", "build_global", (_LOG, _DEFECTS, _ENCODER), "indexes/global", days="all", settings=_GLOBAL),
    Stage("build_personal", "build_personal", (_LOG, _DEFECTS, _ENCODER), "indexes/personal", days="all", settings=_INDEX),
    Stage(
        "publish",
        "publish",
        (
            _LOG,
            ("--pairs", "tables/rewrite_pairs"),
            ("--global", "indexes/global"),
            ("--personal", "indexes/personal"),
            _ENCODER,
            _RANKER,
            ("--decision", "models/decision"),
            ("--win-loss", "tables/win_loss"),
        ),
        "bundles",
        settings=_EVERY,
        state=("bundles/controls.jsonl", "bundles/regression.jsonl"),
    ),
)

STAGES = {stage.name: stage for stage in PLAN}


def after(stage: Stage) -> tuple[str, ...]:
    """Names of the stages whose outputs this one reads, in the plan's order."""
    read = {path for _, path in stage.inputs}
    return tuple(s.name for s in PLAN if read & set(s.outputs))


def command(stage: Stage, turns: str, out: str, config: str | None = None) -> list[str]:
    """The stage's arguments for ``python -m jobs.JOB``.

    >>> command(STAGES["label_defects"], "log/turns", "w")
    ['--turns', 'log/turns', '--model', 'w/models/defects', '--out', 'w/tables/defects']
    """
    arguments: list[str] = []
    for option, path in (*stage.inputs, *stage.more_outputs, ("--out", stage.output)):
        arguments += [option, turns if path == TURNS else f"{out}/{path}"]
    if stage.days is not None:
        arguments += ["--days", stage.days]
    if config is not None:
        arguments += ["--config", config]
    return arguments


def until(name: str | None) -> tuple[Stage, ...]:
    """The plan up to and including a stage, without the stages that it does not need; all of it for None.

    Raises
    ------
    KeyError
        If there is no such stage.
    """
    if name is None:
        return PLAN
    needed = {name}
    for stage in reversed(PLAN):
        if stage.name in needed:
            needed.update(after(stage))
    return tuple(s for s in PLAN if s.name in needed | {STAGES[name].name})
