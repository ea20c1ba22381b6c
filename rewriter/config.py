"""Settings read from TOML, with all faults named at once, and printed as TOML that says what each one is for."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rewriter.errors import RewriterError
from rewriter.settings import Settings


def _key(spec: dataclasses.Field[Any]) -> str:
    return str(spec.metadata.get("key", spec.name))


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    return isinstance(value, type(default))


def _range_fault(value: Any, metadata: Mapping[str, Any]) -> str:
    """What is wrong with a value's size or choice, or an empty string; NaN and infinity are out of every range."""
    if isinstance(value, str) and metadata.get("choices") and value not in metadata["choices"]:
        return "expected " + " or ".join(f"'{choice}'" for choice in metadata["choices"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    low, high, inside = metadata["low"], metadata["high"], metadata["inside"]
    if low < value < high if inside else low <= value <= high:
        return ""
    span = f"at least {low}" if high > 1 else f"{low} to {high}"
    return f"expected {span}, neither of them" if inside else f"expected {span}"


def _read(cls: type[Any], values: dict[str, Any], path: str, faults: list[str]) -> Any:
    known = {_key(f): f for f in fields(cls)}
    faults += [f"unknown key '{path}{name}'" for name in values if name not in known]
    given: dict[str, Any] = {}
    defaults = cls()
    for key, spec in known.items():
        if key not in values:
            continue
        value, default = values[key], getattr(defaults, spec.name)
        if dataclasses.is_dataclass(default):
            if isinstance(value, dict):
                given[spec.name] = _read(type(default), value, f"{path}{key}.", faults)
            else:
                faults.append(f"'{path}{key}' is a table")
        elif not _fits(value, default):
            faults.append(f"'{path}{key}' is {value!r}, expected {type(default).__name__}")
        elif fault := _range_fault(value, spec.metadata):
            faults.append(f"'{path}{key}' is {value!r}, {fault}")
        else:
            given[spec.name] = type(default)(value)
    return cls(**given)


def read_settings(path: str | Path | None = None) -> Settings:
    """Settings of a TOML file, with defaults for what it leaves out; no path gives the defaults.

    Raises
    ------
    RewriterError
        Naming the file and every unknown key, wrong type and value out of range at once.
    """
    if path is None:
        return Settings()
    try:
        values = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise RewriterError(f"config {path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RewriterError(f"config {path}: not TOML ({error})") from error
    return settings_of(values, f"config {path}")


def settings_of(values: dict[str, Any], where: str) -> Settings:
    """Settings of nested dicts as `as_dict` makes them, with defaults for what they leave out.

    Raises
    ------
    RewriterError
        Naming ``where`` and every unknown key, wrong type and value out of range at once.
    """
    faults: list[str] = []
    settings: Settings = _read(Settings, values, "", faults)
    if faults:
        raise RewriterError(f"{where}: " + "; ".join(faults))
    return settings


def as_dict(settings: Any) -> dict[str, Any]:
    """Settings, or one section, as plain nested dicts with their TOML keys."""
    out: dict[str, Any] = {}
    for spec in fields(settings):
        value = getattr(settings, spec.name)
        out[_key(spec)] = (
            as_dict(value) if dataclasses.is_dataclass(value) else list(value) if isinstance(value, tuple) else value
        )
    return out


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    # A JSON string is a TOML string; quotes and backslashes of a path stay readable back.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def print_settings(settings: Settings) -> str:
    """All settings as commented TOML, which `read_settings` reads back."""
    lines: list[str] = []
    sections = [f for f in fields(settings) if dataclasses.is_dataclass(getattr(settings, f.name))]
    for spec in (f for f in fields(settings) if f not in sections):
        lines.append(
            f"{_key(spec)} = {_toml(getattr(settings, spec.name))}  # {spec.metadata['unit']}: {spec.metadata['why']}"
        )
    for section in sections:
        part = getattr(settings, section.name)
        lines += ["", f"[{_key(section)}]  # {(part.__doc__ or '').strip()}"]
        for spec in fields(part):
            lines.append(
                f"{_key(spec)} = {_toml(getattr(part, spec.name))}  # {spec.metadata['unit']}: {spec.metadata['why']}"
            )
    return "\n".join(lines) + "\n"
