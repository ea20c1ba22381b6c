"""The bundle in service: verified before it is loaded, replaced without a pause, kept when the next one is bad."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rewriter.bundle import layout
from rewriter.bundle.controls import Seen, read_on
from rewriter.bundle.verify import require_whole
from rewriter.decision.engine import Engine
from rewriter.errors import RewriterError
from rewriter.locales import canonical_locale
from schemas.table import ContractError
from serving.experiment import Experiment

_LOGGER = logging.getLogger("rewriter.serving")
POLL_S = 0.5
RETRY_S = 10.0
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class Loaded:
    """One bundle in memory."""

    version: str
    engine: Engine
    experiment: Experiment
    locales: Mapping[str, str]  # canonical spelling -> the bundle's own
    default_locale: str

    def locale_of(self, tag: str | None) -> str:
        """The bundle's spelling of a tag; the tag itself where the bundle has no data for it."""
        if tag is None:
            return self.default_locale
        canonical = canonical_locale(tag)
        return self.locales.get(canonical, canonical)

    def has(self, locale: str) -> bool:
        """Whether pairs or indexes hold anything in this locale; a bundle that holds nothing at all has every locale."""
        return not self.locales or locale in self.locales.values()


def load_bundle(bundle: Path, threads: int = 1) -> Loaded:
    """Verify a bundle, load it, and ask it one request, so that what is broken shows before it serves.

    Raises
    ------
    RewriterError, ContractError
        Naming every fault.
    """
    require_whole(bundle, whole=False)
    manifest = layout.read_manifest(bundle)
    counts: dict[str, int] = manifest["metrics"].get("locales", {})
    default = layout.main_locale(manifest)
    engine = Engine.ready(bundle, default, threads)
    # It lives as long as it serves: the collector need not walk it while requests wait. What it holds goes by its counts;
    # rubbish in cycles must not be kept with it, nor what was frozen with the one before.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    spellings = {canonical_locale(locale): locale for locale in counts}
    return Loaded(bundle.name, engine, Experiment.of(manifest["settings"]), spellings, default)


class _Shared:
    """A loaded bundle with its users counted; the engine closes when it is retired and the last one leaves.

    It closes under the lock: who asks to revive it must not find its files half closed.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self._users, self._lock = loaded, 0, threading.Lock()
        self._retired = self.closed = False

    def enter(self) -> bool:
        with self._lock:
            if self._retired:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            self._close_if_done()

    def retire(self) -> None:
        with self._lock:
            self._retired = True
            self._close_if_done()

    def revive(self) -> bool:
        """Put a retired bundle into service again; False if it is closed."""
        with self._lock:
            self._retired = self.closed
            return not self.closed

    def _close_if_done(self) -> None:
        if self._retired and self._users == 0 and not self.closed:
            try:
                self.loaded.engine.close()
            finally:
                self.closed = True


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


class Holder:
    """Serves the current bundle and follows ``CURRENT`` and the controls of its folder.

    Attributes
    ----------
    controls
        The stop controls as last read.
    faults
        What kept the last change from being taken over: name of the file or version -> fault. Empty when all is well.
    """

    def __init__(self, bundles: Path, threads: int = 1) -> None:
        """Load the current bundle.

        Raises
        ------
        RewriterError, ContractError
            If there is none, or it is damaged.
        """
        self.bundles, self.faults, self._threads = bundles, dict[str, str](), threads
        self._changing, self._stop = threading.Lock(), threading.Event()
        self._seen = {name: _stamp(bundles / name) for name in (layout.CONTROLS, layout.CURRENT)}
        self._retry_at: dict[str, float] = {}
        self.controls, self._journal = read_on(bundles, Seen())
        self._shared = _Shared(load_bundle(layout.current(bundles), threads))
        self._leaving: list[_Shared] = []  # retired, with requests in flight
        self._thread = threading.Thread(target=self._watch, name="bundle-watch", daemon=True)

    @property
    def version(self) -> str:
        """Version in service."""
        return self._shared.loaded.version

    @property
    def experiment(self) -> Experiment:
        """The experiment of the version in service."""
        return self._shared.loaded.experiment

    @contextmanager
    def lease(self) -> Iterator[Loaded]:
        """The bundle in service, which stays open until the block ends, whatever is swapped meanwhile."""
        shared = self._shared
        while not shared.enter():
            shared = self._shared
        try:
            yield shared.loaded
        finally:
            shared.leave()

    def start(self) -> None:
        """Begin to follow the folder."""
        self._thread.start()

    def close(self) -> None:
        """Stop following, and close the engine once nobody uses it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._shared.retire()

    def refresh(self) -> None:
        """Take over what changed in the folder since the last look; what failed is tried again now and then."""
        with self._changing:
            for name, change in ((layout.CONTROLS, self._read_controls), (layout.CURRENT, self._load_current)):
                stamp = _stamp(self.bundles / name)
                again = name in self.faults and time.monotonic() >= self._retry_at[name]
                if stamp != self._seen[name] or again:
                    self._seen[name] = stamp
                    self._attempt(name, change)

    def _watch(self) -> None:
        while not self._stop.wait(POLL_S):
            self.refresh()

    def _attempt(self, what: str, change: Callable[[], None]) -> None:
        """Make a change, or stay as before and keep the fault; whatever is wrong with new files, the old ones serve."""
        self._retry_at[what] = time.monotonic() + RETRY_S
        try:
            change()
            self.faults.pop(what, None)
        except (RewriterError, ContractError, OSError) as error:
            self.faults[what] = str(error)
            _LOGGER.error("%s not taken over, %s stays in service: %s", what, self.version, error)
        except Exception as error:
            self.faults[what] = f"{type(error).__name__}: {error}"
            _LOGGER.exception("%s not taken over, %s stays in service", what, self.version)

    def _read_controls(self) -> None:
        self.controls, self._journal = read_on(self.bundles, self._journal)

    def _load_current(self) -> None:
        bundle = layout.current(self.bundles)
        if bundle.name == self.version:
            return
        old, self._shared = self._shared, self._revived(bundle) or _Shared(load_bundle(bundle, self._threads))
        old.retire()
        self._leaving = [shared for shared in (*self._leaving, old) if shared is not self._shared and not shared.closed]
        _LOGGER.info("bundle %s replaces %s", bundle.name, old.loaded.version)

    def _revived(self, bundle: Path) -> _Shared | None:
        """The wanted version, if a request still holds it: a personal store cannot be opened twice in one process."""
        held = next((shared for shared in self._leaving if shared.loaded.version == bundle.name), None)
        if held is None:
            return None
        require_whole(bundle, whole=False)
        return held if held.revive() else None
