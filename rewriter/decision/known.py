"""What is known about one request before the layers look at it."""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rewriter.settings import Decide

if TYPE_CHECKING:
    from rewriter.retrieval.contexts import Contexts
    from rewriter.retrieval.global_index import Entry
    from rewriter.retrieval.page import PersonalEntries


class Controls(Protocol):
    """The stop controls, as `rewriter.bundle.controls.Controls` keeps them; all texts are normalised."""

    @property
    def taught(self) -> Mapping[tuple[str, str], str]:
        """``(locale, source)`` -> rewrite."""

    @property
    def blocked(self) -> Container[tuple[str, str, str]]:
        """``(locale, source, rewrite)`` never to be served."""

    @property
    def approved(self) -> Container[tuple[str, str, str]]:
        """``(locale, source, rewrite)`` that an analyst lets out of the status pending."""


@dataclass(frozen=True)
class NoControls:
    """Nothing blocked, approved or taught."""

    taught: Mapping[tuple[str, str], str] = field(default_factory=dict)
    blocked: frozenset[tuple[str, str, str]] = frozenset()
    approved: frozenset[tuple[str, str, str]] = frozenset()


@dataclass
class Known:
    """Statistics of this wording, for everybody and for this user, of contexts, and the notes of layers that passed."""

    controls: Controls
    entry: Entry | None = None
    own: Entry | None = None
    personal: PersonalEntries | None = None
    contexts: Contexts | None = None
    deadline: float | None = None
    notes: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step of the decision takes."""
        began = time.perf_counter()
        yield
        self.timings_ms[step] = 1e3 * (time.perf_counter() - began)


def success_rate(entry: Entry) -> float:
    """Share of the turns with this wording that succeeded; 0 when none was counted."""
    n = entry.n_success + entry.n_defect
    return entry.n_success / n if n else 0.0


def known_success(known: Known, decide: Decide) -> str:
    """Why this wording is known to work as it is, for this user or for everybody; empty if it is not."""
    own, entry = known.own, known.entry
    if own is not None and own.n_success >= decide.min_own_successes and success_rate(own) >= decide.max_request_success:
        return f"this user's own request succeeded {own.n_success} of {own.n_success + own.n_defect} times as it is"
    n = entry.n_success + entry.n_defect if entry is not None else 0
    if entry is not None and n >= decide.min_request_turns and success_rate(entry) >= decide.max_request_success:
        return f"the request succeeds {100 * success_rate(entry):.0f}% of {n} times as it is"
    return ""
