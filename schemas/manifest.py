"""The manifest of a bundle: its contract, its one spelling in bytes, and the faults of one that breaks it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa

from schemas.table import ContractError, type_text

#: Raised when a reader of the old contract could misread a new bundle.
CONTRACT_VERSION = 5

#: Values whose inside belongs to someone else: settings, and what each model measured of itself.
JSON = pa.json_()
FILES = pa.list_(pa.struct([("path", pa.string()), ("n_bytes", pa.int64()), ("sha256", pa.string())]))

MANIFEST = pa.schema(
    [
        pa.field("contract_version", pa.int64(), nullable=False),
        pa.field("version", pa.string(), nullable=False),  # last data day and digest of the content
        pa.field("parent", pa.string()),  # the version that was current before; null for the first
        pa.field("data_days", pa.list_(pa.string()), nullable=False),  # first and last day the bundle learned from
        pa.field("settings", JSON, nullable=False),
        pa.field("metrics", JSON, nullable=False),
        pa.field("files", FILES, nullable=False),  # every other file of the bundle
        pa.field("checksum", pa.string(), nullable=False),  # SHA-256 of the manifest without this field
    ]
)

#: What a version number does not cover: itself, the seal, and where the bundle stands in the history.
_NOT_CONTENT = ("version", "parent", "checksum")


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """The one spelling of a manifest: sorted keys, two spaces, a final newline."""
    return (json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def digest_of(manifest: dict[str, Any], without: tuple[str, ...]) -> str:
    """SHA-256 in hex of the manifest's spelling without some fields."""
    return hashlib.sha256(manifest_bytes({k: v for k, v in manifest.items() if k not in without})).hexdigest()


def version_of(manifest: dict[str, Any]) -> str:
    """The version that this content must have: same content, same version, whatever its parent.

    >>> version_of({"data_days": ["2026-01-01", "2026-01-09"], "files": []})[:15]
    '20260109-61d91b'
    """
    days = manifest["data_days"]
    day = days[-1].replace("-", "") if days else "undated"
    return f"{day}-{digest_of(manifest, _NOT_CONTENT)[:12]}"


def seal(manifest: dict[str, Any], parent: str | None) -> dict[str, Any]:
    """The manifest with its version, its parent and its checksum."""
    named = manifest | {"version": version_of(manifest), "parent": parent}
    return named | {"checksum": digest_of(named, ("checksum",))}


def _value_faults(name: str, value: Any, kind: pa.DataType) -> list[str]:
    """Faults of one JSON value against an Arrow type."""
    if kind == JSON:
        expected, fits = "object", isinstance(value, dict)
    elif pa.types.is_list(kind):
        if isinstance(value, list):
            return [f for i, v in enumerate(value) for f in _value_faults(f"{name}[{i}]", v, kind.value_type)]
        expected, fits = "list", False
    elif pa.types.is_struct(kind):
        if isinstance(value, dict):
            return [f for field in kind for f in _value_faults(f"{name}.{field.name}", value.get(field.name), field.type)]
        expected, fits = "object", False
    elif pa.types.is_integer(kind):
        expected, fits = type_text(kind), isinstance(value, int) and not isinstance(value, bool)
    else:
        expected, fits = type_text(kind), isinstance(value, str)
    return [] if fits else [f"{name} is {type(value).__name__}, expected {expected}"]


def manifest_faults(manifest: Any) -> list[str]:
    """Every way in which a parsed manifest breaks the contract, in the order of its fields."""
    if not isinstance(manifest, dict):
        return [f"the manifest is {type(manifest).__name__}, expected object"]
    faults = [f"unknown field '{name}'" for name in manifest if MANIFEST.get_field_index(name) < 0]
    for field in MANIFEST:
        value = manifest.get(field.name)
        if value is None:
            faults += [] if field.nullable else [f"missing '{field.name}' ({type_text(field.type)})"]
        else:
            faults += _value_faults(field.name, value, field.type)
    if faults:
        return faults
    if manifest["contract_version"] != CONTRACT_VERSION:
        said = f"contract_version is {manifest['contract_version']}"
        faults.append(f"{said}, this release reads {CONTRACT_VERSION}: publish the log again")
    if digest_of(manifest, ("checksum",)) != manifest["checksum"]:
        faults.append("the manifest does not match its own checksum")
    elif version_of(manifest) != manifest["version"]:
        faults.append(f"version is {manifest['version']}, its content says {version_of(manifest)}")
    return faults


def parse_manifest(data: bytes, where: str) -> dict[str, Any]:
    """The manifest in these bytes.

    Raises
    ------
    ContractError
        Naming the file and every fault at once; bytes that spell the same values differently are a fault too.
    """
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{where}: not JSON ({error})") from error
    faults = manifest_faults(manifest)
    if not faults and manifest_bytes(manifest) != data:
        faults = ["the bytes are not the manifest's one spelling"]
    if faults:
        raise ContractError(f"{where}: " + "; ".join(faults))
    values: dict[str, Any] = manifest
    return values
