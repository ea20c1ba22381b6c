"""Writing one version: parts are copied beside, synced, sealed by a manifest, renamed; then it may become current."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from rewriter.bundle import layout
from rewriter.bundle.controls import Controls, add_entry
from rewriter.bundle.durable import copy_file, only_writer, sha256_of, sync_folder, write_file
from rewriter.bundle.pairs import pairs_bytes
from rewriter.bundle.regression import Case
from rewriter.bundle.summary import top_rewrites
from rewriter.bundle.verify import files_below, require_whole, verify
from rewriter.errors import RewriterError
from schemas.manifest import CONTRACT_VERSION, manifest_bytes, seal, version_of
from schemas.table import ContractError

_WRITING = ".writing-"
#: Training leftovers and LMDB's lock are no part of what is served.
_NOT_SERVED = (".safetensors", "lock.mdb", "-lock")


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of; every folder may be absent, and the layers that need it stay off.

    Attributes
    ----------
    pairs
        `schemas.tables.REWRITE_PAIRS` as `rewriter.bundle.pairs.bundle_pairs` returns them.
    settings
        All settings as nested dicts.
    data_days
        First and last day of the log behind the bundle, ``YYYY-MM-DD``; empty if unknown.
    folders
        Name in the bundle (``global``, ``personal``, ``encoder``, ``ranker``) -> folder to copy.
    decision
        Thresholds of the layers; None serves the mined pairs alone.
    """

    pairs: pa.Table
    settings: Mapping[str, Any]
    data_days: tuple[str, ...] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)
    decision: Mapping[str, Any] | None = None
    regression: tuple[Case, ...] = ()
    win_loss: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)


#: Refuses a written but unnamed bundle by raising.
Gate = Callable[[Path], None]


def _copy_folder(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise RewriterError(f"no such folder: {source}")
    files = {n: p for n, p in files_below(source).items() if not n.endswith(_NOT_SERVED) and "/." not in f"/{n}"}
    if not files:
        raise RewriterError(f"nothing to publish in {source}")
    for name, path in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy_file(path, target / name)


def _write_parts(folder: Path, parts: Parts) -> None:
    decision = parts.decision or {}
    write_file(folder / layout.PAIRS, pairs_bytes(parts.pairs))
    write_file(folder / layout.SETTINGS, layout.json_bytes(dict(parts.settings)))
    write_file(folder / layout.REGRESSION, b"".join(case.line() + b"\n" for case in parts.regression))
    page = top_rewrites(parts.data_days, parts.pairs, decision, parts.win_loss)
    write_file(folder / layout.TOP_REWRITES, page.encode())
    if parts.decision is not None:
        write_file(folder / layout.DECISION, layout.json_bytes(dict(parts.decision)))
    for name, source in sorted(parts.folders.items()):
        _copy_folder(source, folder / name)


def _content(folder: Path, parts: Parts) -> dict[str, Any]:
    """The manifest before it is sealed."""
    files = [
        {"path": name, "n_bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for name, path in files_below(folder).items()
    ]
    return {
        "contract_version": CONTRACT_VERSION,
        "data_days": [parts.data_days[0], parts.data_days[-1]] if parts.data_days else [],
        "settings": dict(parts.settings),
        "metrics": dict(parts.metrics),
        "files": files,
    }


def _sync_below(folder: Path) -> None:
    for path in [*(p for p in folder.rglob("*") if p.is_dir()), folder]:
        sync_folder(path)


def _sweep(bundles: Path) -> None:
    for leftover in bundles.glob(f"{_WRITING}*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _beside(bundles: Path) -> Iterator[Path]:
    """A folder to write into, which vanishes unless it was renamed; what a killed writer left is removed first."""
    _sweep(bundles)
    folder = bundles / f"{_WRITING}bundle"
    folder.mkdir()
    try:
        yield folder
    finally:
        _sweep(bundles)


def _name(bundles: Path, folder: Path, version: str) -> Path:
    """Give the written folder its name, unless the same content has it already."""
    target = bundles / version
    if target.exists():
        if not verify(target):
            return target
        # The content on disk rotted; what was just written is the same content, whole.
        target.rename(bundles / f"{_WRITING}damaged")
    folder.rename(target)
    sync_folder(bundles)
    return target


def _current_or_none(bundles: Path) -> str | None:
    """The current version; none yet, or a ``CURRENT`` that names nothing, which the next publish mends."""
    try:
        return layout.current_version(bundles)
    except RewriterError:
        return None


def _parent(bundles: Path, version: str) -> str | None:
    """The parent a version has already, else the version that is current now."""
    try:
        known: str | None = layout.read_manifest(bundles / version)["parent"]
    except (RewriterError, ContractError):
        now = _current_or_none(bundles)
        known = None if now == version else now
    return known


def write_bundle(bundles: Path, parts: Parts, *, gate: Gate | None = None) -> Path:
    """Write one version and return its folder; ``CURRENT`` is left as it is.

    The version follows from the content: the same parts give the same version and the same bytes, and a version that is
    there already is not written twice. Its parent is the version that was current when it was first written.

    Parameters
    ----------
    gate
        Called with the written folder before it gets its name; raises to refuse it.

    Raises
    ------
    RewriterError
        If a part cannot be read, or the gate refuses; nothing is left behind then.
    """
    with only_writer(bundles), _beside(bundles) as folder:
        _write_parts(folder, parts)
        content = _content(folder, parts)
        manifest = seal(content, _parent(bundles, version_of(content)))
        write_file(folder / layout.MANIFEST, manifest_bytes(manifest))
        _sync_below(folder)
        if gate is not None:
            gate(folder)
        return _name(bundles, folder, manifest["version"])


def activate(bundles: Path, version: str) -> Path:
    """Make a version current once it is verified whole; returns its folder.

    Raises
    ------
    RewriterError
        If there is no such version, or it is damaged; ``CURRENT`` stays as it was.
    """
    bundle = _require_version(bundles, version)
    with only_writer(bundles):
        layout.set_current(bundles, version)
    return bundle


def _require_version(bundles: Path, version: str) -> Path:
    """The folder of a version that is there and whole."""
    if not layout.is_version(version) or not (bundles / version).is_dir():
        raise RewriterError(f"no bundle {version!r} in {bundles}")
    require_whole(bundles / version)
    return bundles / version


def choose(bundles: Path, version: str) -> Path:
    """Make a version current because an operator says so: publishing what is there already does not undo it.

    Raises
    ------
    RewriterError
        As `activate`.
    """
    bundle = _require_version(bundles, version)
    with only_writer(bundles):
        layout.set_current(bundles, version)
        over = [other for other in layout.versions(bundles) if other != version]
        add_entry(bundles, {"action": "activate", "version": version, "over": over})
    return bundle


def roll_back(bundles: Path, reason: str = "") -> tuple[str, str]:
    """Make the current version's parent current; returns the version that is left, and its parent.

    Raises
    ------
    RewriterError
        If there is no parent, it is damaged, or a publish made another version current meanwhile; nothing changes then.
    """
    now = layout.current_version(bundles)
    parent = layout.read_manifest(bundles / now)["parent"]
    if parent is None:
        raise RewriterError(f"{now} is the first bundle: there is nothing before it")
    _require_version(bundles, parent)
    with only_writer(bundles):
        if (newer := layout.current_version(bundles)) != now:
            raise RewriterError(f"not rolled back: {newer} replaced {now} meanwhile; roll back again to leave that")
        add_entry(bundles, {"action": "rollback", "version": now, "to": parent, "reason": reason})
        layout.set_current(bundles, parent)
    return now, parent


def _last_day(bundle: Path) -> str:
    """The last day of the log behind a bundle; empty where it is not known."""
    try:
        days: list[str] = layout.read_manifest(bundle)["data_days"]
    except (RewriterError, ContractError):
        return ""
    return days[-1] if days else ""


def _left_out(bundles: Path, bundle: Path, now: str | None, withdrawn: frozenset[str]) -> str:
    """Why a published version must not become current; empty if it may."""
    if bundle.name == now:
        return ""
    if bundle.name in withdrawn:
        return "operators rolled it back or chose another version since"
    if now is not None and "" != _last_day(bundle) < _last_day(bundles / now):
        return f"its last data day, {_last_day(bundle)}, is before that of the current {now}"
    return ""


def publish(bundles: Path, parts: Parts, controls: Controls, *, gate: Gate | None = None) -> tuple[Path, str]:
    """Write a version and make it current; returns its folder and why it did not become current, empty if it is.

    A version that operators left stays out, and so does one of an older log than the current one's: the publish of an
    old day may run again at any time. Killed at any step and started again it ends in the same bytes.

    Parameters
    ----------
    controls
        As the parts were made with. What operators decided since is read from the journal, under the same lock as the
        version becomes current.
    """
    bundle = write_bundle(bundles, parts, gate=gate)
    with only_writer(bundles):
        now = _current_or_none(bundles)
        withdrawn = controls.withdrawn | Controls.read(bundles).withdrawn
        left_out = _left_out(bundles, bundle, now, withdrawn)
        if not left_out and now != bundle.name:
            layout.set_current(bundles, _require_version(bundles, bundle.name).name)
    return bundle, left_out
