"""Values of foreign logs as values of `turns`, or the reason why not."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from rewriter.ingest.times import EPOCH, time_of
from rewriter.ingest.unfit import UnfitError, shown
from rewriter.locales import canonical_locale
from schemas.tables import FEEDBACKS, NBEST, RESPONSE_STATUSES, REWRITE

MAX_UTTERANCE = 2000
_TRUE = frozenset({"true", "1", "yes", "y", "t", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "off"})
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TEXT_NAMES = ("text", "transcript", "transcription", "utterance", "hypothesis")
_SCORE_NAMES = ("score", "confidence", "transcriptionConfidence")


def text_of(value: Any) -> str | None:
    """Text without blanks at its ends; whole numbers are text too, blank text is null."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnfitError(f"is not text: {shown(value)}")


def number_of(value: Any) -> float | None:
    """A finite number; NaN is null."""
    if isinstance(value, bool):
        raise UnfitError(f"is not a number: {shown(value)}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UnfitError(f"is not a number: {shown(value)}") from None
    if math.isinf(number):
        raise UnfitError("is infinite")
    return None if math.isnan(number) else number


def share_of(value: Any) -> float | None:
    """A number in 0..1."""
    number = number_of(value)
    if number is not None and not 0.0 <= number <= 1.0:
        raise UnfitError(f"is {number:g}, outside 0..1")
    return number


def percent_of(value: Any) -> float | None:
    """A number in 0..100, as a share."""
    number = number_of(value)
    if number is not None and not 0.0 <= number <= 100.0:
        raise UnfitError(f"is {number:g}, outside 0..100 percent")
    return None if number is None else number / 100.0


def whole_of(value: Any) -> int | None:
    """A whole number that fits 32 bits."""
    number = number_of(value)
    if number is not None and (number != int(number) or abs(number) >= 2**31):
        raise UnfitError(f"is not a whole number: {shown(value)}")
    return None if number is None else int(number)


def bool_of(value: Any) -> bool:
    """True or false, also as 1/0 and the usual words."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word not in _TRUE | _FALSE:
        raise UnfitError(f"is not true or false: {shown(value)}")
    return word in _TRUE


def _parsed(value: Any, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise UnfitError(f"is not {what} in JSON: {shown(value)}") from None


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def map_of(value: Any) -> list[tuple[str, str]] | None:
    """Key-value texts from an object, a list of pairs or of {name|key|entity, value}, or JSON text of these."""
    if isinstance(value, str) and not value.strip():
        return None
    data = _parsed(value, "a map")
    if isinstance(data, list):
        pairs = [_pair(item) for item in data]
    elif isinstance(data, Mapping):
        pairs = list(data.items())
    else:
        raise UnfitError(f"is not a map: {shown(value)}")
    return sorted({str(k): _word(v) for k, v in pairs if v is not None}.items())


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping) and "value" in item:
        for name in ("name", "key", "entity", "slot"):
            if name in item:
                return item[name], item["value"]
    if isinstance(item, list | tuple) and len(item) == 2:
        return item[0], item[1]
    raise UnfitError(f"holds no name and value: {shown(item)}")


def nbest_of(value: Any) -> list[dict[str, Any]] | None:
    """Alternatives of the recogniser from a list of texts, [text, score] or {text, score}, or JSON text of these."""
    if isinstance(value, str) and not value.strip():
        return None
    data = _parsed(value, "a list of alternatives")
    if not isinstance(data, list):
        raise UnfitError(f"is not a list of alternatives: {shown(value)}")
    return [_alternative(item) for item in data]


def _alternative(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"text": item, "score": None}
    if isinstance(item, list | tuple) and len(item) == 2:
        item = {"text": item[0], "score": item[1]}
    if isinstance(item, Mapping):
        text = next((item[n] for n in _TEXT_NAMES if n in item), None)
        score = next((item[n] for n in _SCORE_NAMES if n in item), None)
        if isinstance(text, str):
            return {"text": text, "score": None if score is None else number_of(score)}
    raise UnfitError(f"holds no text: {shown(item)}")


def rewrite_of(value: Any) -> dict[str, Any] | None:
    """The record of an earlier rewrite, with the fields of `turns.rewrite`."""
    if isinstance(value, str) and not value.strip():
        return None
    data = _parsed(value, "a rewrite")
    if not isinstance(data, Mapping):
        raise UnfitError(f"is not a rewrite: {shown(value)}")
    texts = {f.name: data.get(f.name) for f in REWRITE if pa.types.is_string(f.type)}
    propensity = data.get("propensity")
    return {k: None if v is None else str(v) for k, v in texts.items()} | {
        "propensity": None if propensity is None else share_of(propensity)
    }


def utterance_of(value: Any) -> str:
    """The request, neither empty nor beyond `MAX_UTTERANCE` characters."""
    text = text_of(value)
    if text is None:
        raise UnfitError("is empty")
    if len(text) > MAX_UTTERANCE:
        raise UnfitError(f"has {len(text):,} characters, at most {MAX_UTTERANCE:,} are read")
    return text


def locale_of(value: Any) -> str | None:
    """A BCP-47 tag in its canonical spelling; an underscore is read as a hyphen."""
    text = text_of(value)
    if text is None:
        return None
    tag = canonical_locale(text)
    if not _LOCALE.fullmatch(tag):
        raise UnfitError(f"is not a BCP-47 tag such as en-US: {shown(value)}")
    return tag


def _one_of(*names: str) -> Callable[[Any], str | None]:
    def choose(value: Any) -> str | None:
        text = text_of(value)
        if text is not None and text.lower() not in names:
            raise UnfitError(f"is {shown(value)}, none of {', '.join(names)}")
        return text and text.lower()

    return choose


#: What each column of `turns` needs, unless the mapping says otherwise.
BY_COLUMN: dict[str, Callable[[Any], Any]] = {
    "at": time_of,
    "utterance": utterance_of,
    "locale": locale_of,
    "response_status": _one_of(*RESPONSE_STATUSES),
    "feedback": _one_of(*FEEDBACKS),
    "turn_index": whole_of,
    "asr_confidence": share_of,
    "nlu_confidence": share_of,
    "barge_in": bool_of,
    "slots": map_of,
    "context": map_of,
    "asr_nbest": nbest_of,
    "rewrite": rewrite_of,
}
#: Conversions that a mapping may name with ``as``, by column.
NAMED = {
    "at": ("time", "iso", *EPOCH),
    "asr_confidence": ("share", "percent"),
    "nlu_confidence": ("share", "percent"),
}
NESTED = (NBEST, REWRITE)


def _is_unicode(value: Any) -> bool:
    """Whether all texts in a converted value can be written as UTF-8: half of a surrogate pair cannot."""
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(map(_is_unicode, parts))


def _guarded(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The conversion, which also refuses what is too big, too deep or no text."""

    def guarded(value: Any) -> Any:
        try:
            result = convert(value)
        except (OverflowError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            raise UnfitError("is nested too deeply" if deep else "is out of range") from None
        if not _is_unicode(result):
            raise UnfitError("holds half a character (a lone surrogate)")
        return result

    return guarded


def converter(column: str, kind: str | None = None, zone: ZoneInfo | None = None) -> Callable[[Any], Any]:
    """The function that makes a value of one column of `turns`; it raises `UnfitError`."""
    if column == "at":
        return _guarded(lambda value: time_of(value, kind or "time", zone))
    return _guarded(percent_of if kind == "percent" else BY_COLUMN.get(column, text_of))
