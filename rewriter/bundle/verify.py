"""Checks that a bundle is exactly what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewriter.bundle.durable import sha256_of
from rewriter.bundle.layout import MANIFEST, PERSONAL_STORE, read_manifest
from rewriter.errors import RewriterError
from schemas.table import ContractError

#: A personal store up to this size is read whole before serving; each value of a larger one is checked when it is read.
LARGE_STORE_BYTES = 64 << 20


def files_below(folder: Path) -> dict[str, Path]:
    """Regular files below a folder by their relative path, sorted."""
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def _file_faults(entry: dict[str, Any], path: Path, whole: bool) -> list[str]:
    name, expected = entry["path"], entry["n_bytes"]
    size = path.stat().st_size
    if size != expected:
        return [f"{name} has {size} bytes, expected {expected}"]
    if not whole and name == PERSONAL_STORE and size > LARGE_STORE_BYTES:
        return []
    return [] if sha256_of(path) == entry["sha256"] else [f"{name} does not match its checksum"]


def verify(bundle: Path, *, whole: bool = True, named: str | None = None) -> list[str]:
    """Every fault of a bundle's folder; an empty list means that it is whole.

    Parameters
    ----------
    bundle
        Folder of one version.
    whole
        Read everything; otherwise a personal store above `LARGE_STORE_BYTES` is only measured, because its values
        carry their own checksums.
    named
        Version it must be; the folder's name by default.
    """
    try:
        manifest = read_manifest(bundle)
    except (RewriterError, ContractError) as error:
        return [str(error)]
    faults = []
    if manifest["version"] != (named or bundle.name):
        faults.append(f"the manifest is of {manifest['version']}, not of {named or bundle.name}")
    found = files_below(bundle)
    found.pop(MANIFEST)
    for entry in manifest["files"]:
        path = found.pop(entry["path"], None)
        faults += _file_faults(entry, path, whole) if path else [f"{entry['path']} is missing"]
    return faults + [f"{name} is not in the manifest" for name in found]


def require_whole(bundle: Path, *, whole: bool = True) -> None:
    """Return if the bundle is exactly what was published.

    Raises
    ------
    RewriterError
        Naming the version and every fault.
    """
    if faults := verify(bundle, whole=whole):
        raise RewriterError(f"bundle {bundle.name} is damaged: " + "; ".join(faults))
