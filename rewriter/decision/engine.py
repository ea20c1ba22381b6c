"""The engine: one bundle's parts, joined into the ordered layers. Imports nothing that trains or runs Spark."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rewriter.config import settings_of
from rewriter.decision.decision import Decision, no_rewrite
from rewriter.decision.gates import Gate, gates_of, read_gates
from rewriter.decision.guards import Guards
from rewriter.decision.known import Controls, Known, NoControls
from rewriter.decision.layers import Layer, LeaveAlone, Online, Precomputed, Ranker, Taught
from rewriter.decision.pairs import PairTable
from rewriter.decision.request import Request
from rewriter.decision.retrieve import Directory, Retriever
from rewriter.errors import RewriterError
from rewriter.settings import Settings
from schemas.table import ContractError

_LOGGER = logging.getLogger("rewriter.decision")
_P = TypeVar("_P")

if TYPE_CHECKING:
    from rewriter.retrieval.encoder import Encoder
    from rewriter.retrieval.global_index import GlobalIndex
    from rewriter.retrieval.personal_index import PersonalStore


@dataclass(frozen=True)
class Parts:
    """What an engine decides with; every part may be absent, and the layers that need it say so."""

    settings: Settings = field(default_factory=Settings)
    pairs: PairTable | None = None
    encoder: Encoder | None = None
    index: GlobalIndex | None = None
    store: PersonalStore | None = None
    ranker: Ranker | None = None
    gates: dict[str, Gate] = field(default_factory=lambda: gates_of({}, Settings().decide))


def load_parts(
    settings: Settings,
    *,
    pairs: Path | None = None,
    encoder: Path | None = None,
    index: Path | None = None,
    store: Path | None = None,
    ranker: Path | None = None,
    decision: Path | None = None,
    threads: int = 1,
) -> Parts:
    """Parts from their folders or files; a path that is None or does not exist leaves the part out.

    Raises
    ------
    RewriterError, ContractError
        Naming the part that cannot be loaded, or those that do not fit together and what differs.
    """
    parts = Parts(
        settings=settings,
        pairs=_part("pairs", pairs, PairTable.read),
        encoder=_part("encoder", encoder, partial(_encoder, threads=threads)),
        index=_part("global index", index, _index),
        ranker=_part("ranker", ranker, partial(_ranker, settings=settings, threads=threads)),
        gates=read_gates(decision, settings.decide),
        store=_part("personal index", store, _store),  # the last: nothing that fails leaves its file open
    )
    if faults := _misfits(parts):
        _close(parts)
        raise RewriterError("parts that do not fit together: " + "; ".join(faults))
    return parts


def _part(name: str, path: Path | None, load: Callable[[Path], _P]) -> _P | None:
    """What is at a path, None if nothing is; what foreign libraries raise becomes one line that names the path."""
    if path is None or not path.exists():
        return None
    try:
        return load(path)
    except (RewriterError, ContractError, OSError):
        raise
    except Exception as error:
        raise RewriterError(f"{name} {path}: cannot be loaded ({_said(error)})") from error


def _said(error: Exception) -> str:
    """The kind of an error and its first line."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def _misfits(parts: Parts) -> list[str]:
    """In what the encoder and the indexes of its vectors differ; versions that were not written down fit all."""
    named = {"encoder": parts.encoder, "global index": parts.index, "personal index": parts.store}
    there = {name: part for name, part in named.items() if part is not None}
    found: dict[str, dict[str, Any]] = {
        "dimensions": {name: part.dim for name, part in there.items()},
        "encoder versions": {name: version for name, part in there.items() if (version := _encoder_version(part))},
    }
    return [
        f"{what} are " + ", ".join(f"{value} ({name})" for name, value in values.items())
        for what, values in found.items()
        if len(set(values.values())) > 1
    ]


def _encoder_version(part: object) -> str:
    """The version of the encoder, or of the one that made the vectors; empty if it was not written down."""
    return str(getattr(part, "version", "") or getattr(part, "encoder_version", ""))


def _close(parts: Parts) -> None:
    """Let go of the files that parts keep open."""
    for part in (parts.store, parts.index, parts.encoder, parts.ranker):
        close = getattr(part, "close", None)
        if close is not None:
            close()


# Imports wait until a part is there: a bundle of pairs alone needs neither ONNX Runtime nor FAISS.


def _encoder(folder: Path, threads: int) -> Encoder:
    from rewriter.retrieval.encoder import OnnxEncoder

    return OnnxEncoder(folder, threads=threads)


def _index(folder: Path) -> GlobalIndex:
    from rewriter.retrieval.global_index import GlobalIndex

    return GlobalIndex.load(folder)


def _store(folder: Path) -> PersonalStore:
    from rewriter.retrieval.personal_index import LmdbStore

    return LmdbStore(folder)


def _ranker(folder: Path, settings: Settings, threads: int) -> Ranker | None:
    from rewriter.ranking.ranker import load_ranker

    return load_ranker(folder, settings.retrieval, threads=threads)


class Engine:
    """Decides on requests. Safe to share between threads: nothing changes after construction."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        directory = Directory(parts.index)
        pairs = parts.pairs or PairTable.of_pairs()
        decide = parts.settings.decide
        guards = Guards(decide, directory.entities(), pairs.active_sources)
        self._directory = directory
        retriever = (
            Retriever(parts.encoder, parts.index, directory, parts.settings.retrieval) if parts.encoder is not None else None
        )
        online = {name: parts.gates[name] for name in ("personal", "global", "alternative")}
        missing = [name for name in ("encoder", "ranker") if getattr(parts, name) is None]
        absent = f"no {' and no '.join(missing)} in the bundle"
        self.online = Online(retriever, parts.ranker, online, guards, absent, decide.max_alike)
        self.leave_alone = LeaveAlone(guards, decide)
        self.precomputed = Precomputed(pairs, parts.gates["precomputed"], guards, directory)
        self.layers: tuple[Layer, ...] = (Taught(), self.leave_alone, self.precomputed, self.online)

    @classmethod
    def load(cls, bundle: Path, threads: int = 1) -> Engine:
        """The engine of a bundle folder.

        Raises
        ------
        RewriterError
            If the folder does not exist, one of its parts cannot be read, or they do not fit together.
        """
        bundle = Path(bundle)
        if not bundle.is_dir():
            raise RewriterError(f"no bundle at {bundle}")
        parts = load_parts(
            _settings(bundle / "settings.json"),
            pairs=bundle / "pairs.parquet",
            encoder=bundle / "encoder",
            index=bundle / "global",
            store=bundle / "personal",
            ranker=bundle / "ranker",
            decision=bundle / "decision.json",
            threads=threads,
        )
        return cls(parts)

    @classmethod
    def ready(cls, bundle: Path, locale: str, threads: int = 1) -> Engine:
        """The engine of a bundle folder after one request, so that what is broken shows before it serves.

        Raises
        ------
        RewriterError
            As `load`, and if the request cannot be answered.
        """
        engine = cls.load(bundle, threads)
        try:
            engine.decide(Request("warm up", locale))
        except Exception as error:
            engine.close()
            raise RewriterError(f"bundle {bundle.name} loads but answers no request ({_said(error)})") from error
        return engine

    def known(self, request: Request, controls: Controls | None = None, deadline: float | None = None) -> Known:
        """What the indexes say about this wording, for this user and for everybody."""
        entry = self._directory.of(request.locale, request.key)
        contexts = self.parts.index.contexts if self.parts.index is not None else None
        known = Known(controls or NoControls(), deadline=deadline, entry=entry, contexts=contexts)
        with known.timed("history"):
            self._recall(request, known)
        return known

    def _recall(self, request: Request, known: Known) -> None:
        """Note what the user's own history says."""
        if self.parts.store is None or request.user_id is None:
            return
        try:
            known.personal = self.parts.store.entries(request.user_id)
            known.own = known.personal.find(request.locale, request.key)
        except RewriterError as error:
            # One user's damaged page must not cost this user the mined pairs, nor anybody else anything.
            # The fault names the file and the user; it is for the log, not for every caller.
            _LOGGER.warning("personal history cannot be read: %s", error)
            known.notes.append("personal history cannot be read")

    def decide(self, request: Request, controls: Controls | None = None, deadline: float | None = None) -> Decision:
        """The first layer's decision, else no rewrite with every layer's reason.

        Parameters
        ----------
        deadline
            An instant of ``time.monotonic()``: retrieval does not start after it, and a ranking that ends after it is
            not served; a taught or mined rewrite costs next to nothing and is.
        """
        began = time.perf_counter()
        known = self.known(request, controls, deadline)
        decision = next((d for layer in self.layers if (d := layer.decide(request, known)) is not None), None)
        if decision is None:
            decision = no_rewrite("; ".join(known.notes) or "no layer has evidence")
        timings = {name: round(ms, 4) for name, ms in known.timings_ms.items()}
        return replace(decision, timings_ms=timings | {"decide": round(1e3 * (time.perf_counter() - began), 4)})

    def close(self) -> None:
        """Let go of the files that parts keep open; the engine decides no more."""
        _close(self.parts)


def _settings(path: Path) -> Settings:
    if not path.exists():
        return Settings()
    try:
        return settings_of(json.loads(path.read_text("utf-8")), str(path))
    except ValueError as error:
        raise RewriterError(f"{path}: not JSON ({error})") from error
