"""Names inside a folder of bundles, and which version is current.

``bundles/<version>/`` holds one version, ``bundles/CURRENT`` names the one to serve, ``bundles/controls.jsonl`` keeps
what operators decided, and ``bundles/regression.jsonl`` the rewrites that must never come back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewriter.bundle.durable import replace_file
from rewriter.errors import RewriterError
from schemas.manifest import parse_manifest

CURRENT = "CURRENT"
CONTROLS = "controls.jsonl"
REGRESSION = "regression.jsonl"
MANIFEST = "manifest.json"
PAIRS = "pairs.parquet"
DECISION = "decision.json"
SETTINGS = "settings.json"
TOP_REWRITES = "top_rewrites.md"
GLOBAL, PERSONAL, ENCODER, RANKER = "global", "personal", "encoder", "ranker"
PERSONAL_STORE = f"{PERSONAL}/data.mdb"

_VERSION = re.compile(r"(\d{8}|undated)-[0-9a-f]{12}")


def is_version(name: str) -> bool:
    """Whether this could name a bundle; nothing else is ever looked up below the folder of bundles."""
    return _VERSION.fullmatch(name) is not None


def json_bytes(value: Any) -> bytes:
    """A JSON file's bytes: sorted keys, two spaces, a final newline; NaN is refused."""
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def versions(bundles: Path) -> list[str]:
    """Versions in the folder, sorted; unfinished writes are not versions."""
    if not bundles.is_dir():
        raise RewriterError(f"no folder of bundles at {bundles}")
    return sorted(p.name for p in bundles.iterdir() if is_version(p.name) and p.is_dir())


def current_version(bundles: Path) -> str:
    """The version that ``CURRENT`` names.

    Raises
    ------
    RewriterError
        If nothing was published yet, or ``CURRENT`` names no bundle of this folder.
    """
    try:
        name = (bundles / CURRENT).read_text("utf-8").strip()
    except FileNotFoundError:
        raise RewriterError(f"no bundle in {bundles}: publish one first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RewriterError(f"{bundles / CURRENT}: cannot be read ({error})") from error
    if not is_version(name) or not (bundles / name).is_dir():
        raise RewriterError(f"{bundles / CURRENT} names {name!r}, which is no bundle of this folder")
    return name


def current(bundles: Path) -> Path:
    """Folder of the current bundle; raises as `current_version` does."""
    return bundles / current_version(bundles)


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest of a bundle's folder.

    Raises
    ------
    RewriterError
        If there is none.
    ContractError
        Naming every fault of the one there is.
    """
    file = bundle / MANIFEST
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RewriterError(f"{file}: cannot be read ({error.strerror})") from error
    return parse_manifest(data, str(file))


def main_locale(manifest: Mapping[str, Any], default: str = "en-US") -> str:
    """The locale that a bundle knows best; the default where it has data for none."""
    counts: dict[str, int] = manifest["metrics"].get("locales", {})
    return max(sorted(counts), key=counts.__getitem__, default=default)


def set_current(bundles: Path, version: str) -> None:
    """Make ``CURRENT`` name this version, in one step that a crash cannot split."""
    replace_file(bundles / CURRENT, f"{version}\n".encode())
