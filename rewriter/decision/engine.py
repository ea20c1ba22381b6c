"""The engine: one bundle's parts, joined into the ordered layers. Imports nothing that trains or runs Spark."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

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

_LOGGER = logging.getLogger("rewriter.decision")

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
    """Parts from their folders or files; a path that is None or does not exist leaves the part out."""
    return Parts(
        settings=settings,
        pairs=PairTable.read(pairs) if pairs and pairs.exists() else None,
        encoder=_encoder(encoder, threads),
        index=_index(index),
        store=_store(store),
        ranker=_ranker(ranker, settings, threads),
        gates=read_gates(decision, settings.decide),
    )


# Imports wait until a part is there: a bundle of pairs alone needs neither ONNX Runtime nor FAISS.


def _encoder(folder: Path | None, threads: int) -> Encoder | None:
    if folder is None or not folder.exists():
        return None
    from rewriter.retrieval.encoder import OnnxEncoder

    return OnnxEncoder(folder, threads=threads)


def _index(folder: Path | None) -> GlobalIndex | None:
    if folder is None or not folder.exists():
        return None
    from rewriter.retrieval.global_index import GlobalIndex

    return GlobalIndex.load(folder)


def _store(folder: Path | None) -> PersonalStore | None:
    if folder is None or not folder.exists():
        return None
    from rewriter.retrieval.personal_index import LmdbStore

    return LmdbStore(folder)


def _ranker(folder: Path | None, settings: Settings, threads: int) -> Ranker | None:
    if folder is None or not folder.exists():
        return None
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
            If the folder does not exist or one of its parts cannot be read.
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
        for part in (self.parts.store, self.parts.index, self.parts.encoder, self.parts.ranker):
            close = getattr(part, "close", None)
            if close is not None:
                close()


def _settings(path: Path) -> Settings:
    if not path.exists():
        return Settings()
    try:
        return settings_of(json.loads(path.read_text("utf-8")), str(path))
    except ValueError as error:
        raise RewriterError(f"{path}: not JSON ({error})") from error
