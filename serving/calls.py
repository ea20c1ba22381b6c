"""What callers may send: tolerant of what it does not know, exact about what it does; every fault names its field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from unicodedata import normalize
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    Strict,
    ValidationError,
    field_validator,
)

from rewriter.decision.request import Alternative, Interpretation, PreviousTurn, Request
from rewriter.ingest.convert import converter
from rewriter.locales import locale_fault
from schemas.tables import RESPONSE_STATUSES

#: Characters. The longest spoken requests on record are a tenth of this; models read fewer words still.
MAX_UTTERANCE = 4000
MAX_BATCH = 256
#: Earlier turns beyond these are too old to matter; a caller that sends more is not at fault.
MAX_PREVIOUS_TURNS = 20
MAX_NBEST = 50
#: Entries of a context or of slots, and characters of such a field that comes as JSON text.
MAX_ENTRIES, MAX_TEXT = 200, 20_000
#: Characters that one may become in the normal form, at most (U+FDFA).
_EXPANSION = 18
#: Characters of a user, a device, an intent and other names.
MAX_NAME = 500


# What is compared with the log is read and spelled by the code that imports the log.
_map_of, _nbest_of = converter("context"), converter("asr_nbest")


def _short(value: Any) -> Any:
    """A field of several forms, unless it is too large for any of them."""
    most, what = (MAX_TEXT, "characters") if isinstance(value, str) else (MAX_ENTRIES, "entries")
    if isinstance(value, str | list | dict) and len(value) > most:
        raise ValueError(f"has {len(value)} {what}, at most {most} are read")
    return value


def _map(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    entries = dict(_map_of(_short(value)) or ())
    if (longest := max((len(text) for entry in entries.items() for text in entry), default=0)) > MAX_UTTERANCE:
        raise ValueError(f"has an entry of {longest} characters, at most {MAX_UTTERANCE} are read")
    return entries


def _nbest(value: Any) -> list[dict[str, Any]] | None:
    if isinstance(value, list):
        value = value[:MAX_NBEST]
    return None if value is None else _nbest_of(_short(value))


def _latest(value: Any) -> Any:
    """The last earlier turns; those before them are not even looked at."""
    return value[-MAX_PREVIOUS_TURNS:] if isinstance(value, list) else value


def _readable(text: str) -> str:
    """As much of a text as is read: no more than of an utterance, in its normal form neither."""
    text = text[:MAX_UTTERANCE]
    return text if len(normalize("NFKC", text)) <= MAX_UTTERANCE else text[: MAX_UTTERANCE // _EXPANSION]


_Name = Annotated[str, Field(max_length=MAX_NAME)]
#: Contexts and slots.
_Map = Annotated[
    dict[str, str] | None, BeforeValidator(_map, json_schema_input_type=dict[str, Any] | list[dict[str, Any]] | None)
]
_Flag = bool | None


class _Tolerant(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, allow_inf_nan=False, frozen=True)


def _confidence(value: float | None) -> float | None:
    """A confidence as a probability; one of another scale, as log probabilities and percents are, is unknown."""
    return value if value is not None and 0.0 <= value <= 1.0 else None


def _lower(text: str | None) -> str | None:
    return text and text.strip().lower()


def _utc(at: datetime | None) -> datetime | None:
    """The instant in UTC; without an offset it is taken as UTC."""
    if at is None:
        return None
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


class Hypothesis(_Tolerant):
    """One hypothesis of the recogniser."""

    text: Annotated[str, Strict()] = Field(description="what it heard")
    score: float | None = Field(None, description="higher is likelier, on any scale that the log uses too")


_Nbest = Annotated[
    list[Hypothesis] | None,
    BeforeValidator(_nbest, json_schema_input_type=list[Hypothesis | str | list[Any]] | None),
]


class FirstLook(_Tolerant):
    """NLU's interpretation of the request as it is."""

    domain: _Name | None = Field(None, description="in the log's words")
    intent: _Name | None = Field(None, description="in the log's words; null: not understood")
    slots: _Map = Field(None, description="name and value of each slot")
    confidence: float | None = Field(None, description="of the intent, 0..1; on another scale it counts as unknown")

    def interpretation(self) -> Interpretation:
        """As the engine knows it."""
        return Interpretation(self.domain, self.intent, self.slots or {}, _confidence(self.confidence))


class EarlierTurn(_Tolerant):
    """An earlier turn of the session."""

    turn_id: _Name | None = Field(None, description="as the log has it")
    at: datetime | None = Field(None, description="when it began")
    utterance: str | None = Field(None, description="the request as recognised")
    response: str | None = Field(None, description="what the assistant said")
    response_status: Annotated[_Name | None, AfterValidator(_lower)] = Field(
        None, description=f"one of {', '.join(RESPONSE_STATUSES)}"
    )
    barge_in: _Flag = Field(None, description="whether the user interrupted the answer")
    intent: _Name | None = Field(None, description="null: not understood")

    _at_utc = field_validator("at")(_utc)

    def previous_turn(self) -> PreviousTurn:
        """As the engine knows it."""
        return PreviousTurn(
            _readable(self.utterance or ""),
            self.turn_id,
            self.at,
            self.response and _readable(self.response),
            self.response_status,
            self.barge_in,
            self.intent,
        )


_Turns = Annotated[list[EarlierTurn] | None, BeforeValidator(_latest)]


class RewriteCall(_Tolerant):
    """Body of ``POST /v1/rewrite``."""

    utterance: Annotated[str, Strict()] = Field(description=f"the request as recognised, at most {MAX_UTTERANCE} characters")
    user_id: _Name | None = Field(None, description="pseudonymous; opens the user's own history")
    session_id: _Name | None = Field(None, description="kept in the decision log")
    at: datetime | None = Field(None, description="when the request began; default now")
    locale: str | None = Field(None, description="BCP 47; default: the locale the bundle knows best")
    device: _Name | None = Field(None, description="no model uses it yet")
    asr_confidence: float | None = Field(None, description="of the recogniser, 0..1; on another scale it counts as unknown")
    nbest: _Nbest = Field(None, description="the recogniser's hypotheses, best first")
    interpretation: FirstLook | None = Field(None, description="NLU's first look at the request as it is; it helps most")
    context: _Map = Field(None, description="what the assistant shows or has just asked, as the log records it")
    previous_turns: _Turns = Field(
        None, description=f"of this session, oldest first; the last {MAX_PREVIOUS_TURNS} are read"
    )
    request_id: str | None = Field(
        None, max_length=200, description="the caller's own name for the request; default: a new one"
    )
    deadline_ms: float | None = Field(None, ge=0, description="answer within this time, without a rewrite if need be")
    explain: _Flag = Field(None, description="true: list the candidates with their features")

    _at_utc = field_validator("at")(_utc)

    @field_validator("utterance")
    @classmethod
    def _short_enough(cls, utterance: str) -> str:
        if len(utterance) > MAX_UTTERANCE:
            raise ValueError(f"has {len(utterance)} characters, at most {MAX_UTTERANCE} are read")
        return utterance

    @field_validator("locale")
    @classmethod
    def _known_locale(cls, locale: str | None) -> str | None:
        if locale is not None and (fault := locale_fault(locale)):
            raise ValueError(fault)
        return locale

    def request(self, locale: str) -> Request:
        """As the engine knows it, in the locale that the bundle calls this one."""
        return Request(
            utterance=self.utterance,
            locale=locale,
            user_id=self.user_id,
            session_id=self.session_id,
            at=self.at or datetime.now(UTC),
            device=self.device,
            asr_confidence=_confidence(self.asr_confidence),
            nbest=tuple(Alternative(_readable(h.text), h.score) for h in self.nbest or ()),
            interpretation=self.interpretation.interpretation() if self.interpretation else None,
            context=self.context or {},
            previous_turns=tuple(t.previous_turn() for t in self.previous_turns or ()),
            request_id=self.request_id or uuid4().hex,
        )


class BatchCall(_Tolerant):
    """Body of ``POST /v1/rewrite:batch``."""

    requests: Annotated[list[RewriteCall], FailFast()] = Field(max_length=MAX_BATCH)


class FeedbackCall(_Tolerant):
    """Body of ``POST /v1/feedback``: what a user said of an answer; the same event twice counts once."""

    event_id: Annotated[str, Strict()] = Field(min_length=1, max_length=200, description="the event's own name")
    request_id: Annotated[str, Strict()] = Field(min_length=1, max_length=200, description="of the answer")
    feedback: Literal["positive", "negative"]
    at: datetime | None = Field(None, description="when it was given; default now")

    _at_utc = field_validator("at")(_utc)


class MalformedCallError(Exception):
    """A body that cannot be understood: the status to answer and each fault with its field."""

    def __init__(self, status: int, faults: list[tuple[str, str]]) -> None:
        self.status, self.faults = status, faults
        super().__init__("; ".join(f"{field}: {message}" for field, message in faults))

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": str(self), "faults": [{"field": field, "message": message} for field, message in self.faults]}


_MESSAGES = {"missing": "is missing", "string_type": "is not a string", "model_type": "is not an object"}


def _path(location: tuple[int | str, ...]) -> str:
    """Name of a field within a body, e.g. ``nbest[0].score``."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".") or "body"


def _fault(error: Any) -> tuple[str, str]:
    message = _MESSAGES.get(error["type"], error["msg"].removeprefix("Value error, "))
    return _path(error["loc"]), message[0].lower() + message[1:]


Call = TypeVar("Call", bound=BaseModel)


def parse_call(kind: type[Call], body: bytes) -> Call:
    """The call in a request's body.

    Raises
    ------
    MalformedCallError
        400 for what is not JSON, 422 with every faulty field otherwise; of a batch, those of its first faulty request.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        raise MalformedCallError(400, [("body", "is not JSON" + faults[0]["msg"].removeprefix("Invalid JSON"))])
    raise MalformedCallError(422, [_fault(fault) for fault in faults[:20]])
