"""Every feature of the ranker, declared once; training and serving compute them with the same code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rewriter.decision.candidate import Candidate
from rewriter.decision.known import Known
from rewriter.decision.request import PreviousTurn, Request
from rewriter.ranking.heard import MOST_CHARACTERS, Heard
from rewriter.ranking.meanings import Standing, kept, standings
from rewriter.retrieval.contexts import Context, contexts_of, shape_of
from rewriter.text import negations, normalise, numbers, similarity, sound_similarity, token_similarity

_DAY_S = 86400.0
#: What nobody told us; the combiner puts the mean of its training in place of it.
UNKNOWN = math.nan
#: Beyond so many words more or fewer there is nothing to tell: a recogniser that loops is no proof.
MOST_WORDS = 5
_FAILED = ("no_result", "error", "fallback", "unsupported")


@dataclass(frozen=True)
class View:
    """One candidate of one request, with what features look at more than once."""

    request: Request
    known: Known
    candidate: Candidate
    standing: Standing
    heard: Heard
    previous: PreviousTurn | None
    previous_key: str
    repeat: float
    contexts: tuple[Context, ...]

    @property
    def source(self) -> str:
        """The normalised request."""
        return self.request.key

    @property
    def target(self) -> str:
        """The normalised candidate."""
        return self.candidate.utterance

    @cached_property
    def interpretation(self) -> tuple[str | None, str | None]:
        """Domain and intent of NLU's first look."""
        first = self.request.interpretation
        return (first.domain, self.request.intent) if first else (None, None)

    @property
    def history(self) -> tuple[int, int]:
        """Successes and defects of the request's own wording, of everybody."""
        entry = self.known.entry
        return (entry.n_success, entry.n_defect) if entry else (0, 0)


class Feature(NamedTuple):
    """A named number about a candidate. What is not known is `UNKNOWN`, and another feature may say whether it is known.

    Attributes
    ----------
    shared
        It tells of the request alone, and is the same for all of its candidates.
    """

    name: str
    unit: str
    doc: str
    of: Callable[[View], float]
    shared: bool = False


def _agree(a: str | None, b: str | None) -> float:
    """1 if both are known and equal, -1 if they differ, 0 if one is unknown."""
    return 0.0 if a is None or b is None else 1.0 if a == b else -1.0


def _shrunk(n_success: int, n_defect: int) -> float:
    """Success rate with two imaginary turns, one of which failed."""
    return (n_success + 1.0) / (n_success + n_defect + 2.0)


def _candidate_success(v: View) -> float:
    entry = v.candidate.entry or v.candidate.own
    return _shrunk(entry.n_success, entry.n_defect) if entry else 0.0


def _popularity(v: View) -> float:
    said = sum(v.history)
    return math.log1p(v.candidate.entry.n_success if v.candidate.entry else 0) - math.log1p(said)


def _own_days(v: View) -> float:
    own, at = v.candidate.own, v.request.at
    if own is None or at is None:
        return UNKNOWN
    return math.log1p(max(0.0, at.timestamp() - own.last_seen) / _DAY_S)


def _own_share(v: View) -> float:
    total = v.known.personal.n_success if v.known.personal else 0
    return v.candidate.own.n_success / total if v.candidate.own and total else 0.0


def _failed(turn: PreviousTurn | None) -> float:
    return float(turn is not None and (turn.response_status in _FAILED or bool(turn.barge_in)))


def _numbers_differ(v: View) -> float:
    return float(numbers(v.source) != numbers(v.target))


def _score(name: str, doc: str, of: Callable[[View], float], *, shared: bool = False) -> Feature:
    return Feature(name, "0..1", doc, of, shared)


def _flag(name: str, doc: str, of: Callable[[View], object], *, shared: bool = False) -> Feature:
    return Feature(name, "0 or 1", doc, lambda v: float(bool(of(v))), shared)


def _lead(v: View) -> float:
    return (v.candidate.bi_encoder or 0.0) - v.standing.rival


def _words_more(v: View) -> float:
    more = len(v.target.split()) - len(v.source.split())
    return float(min(max(more, -MOST_WORDS), MOST_WORDS))


def _told(value: float | None) -> float:
    return UNKNOWN if value is None else value


def _nlu_confidence(v: View) -> float:
    first = v.request.interpretation
    if first is None:
        return UNKNOWN
    return _told(first.confidence) if v.request.intent else 0.0


def _request_defect(v: View) -> float:
    return 1.0 - _shrunk(*v.history) if v.known.entry else UNKNOWN


def _of_own(v: View, likeness: float) -> float:
    """A likeness to the user's own requests; unknown of users who have none."""
    return likeness if v.known.personal else UNKNOWN


def _context_fit(v: View) -> float:
    shape = shape_of(v.candidate.domain, v.candidate.intent, v.candidate.slots)
    return _told(v.known.contexts.fit(v.request.locale, v.contexts, shape) if v.known.contexts else None)


def _gap(v: View) -> float:
    return 0.0 if v.candidate.rank is None else _told(v.candidate.gap)


def _own_count(own: object) -> float:
    return math.log1p(getattr(own, "n_success", 0))


def _users(v: View) -> float:
    return math.log1p(v.candidate.entry.n_users if v.candidate.entry else 0)


def _like_previous(previous_key: str, text: str) -> float:
    return similarity(previous_key, text[:MOST_CHARACTERS]) if previous_key else 0.0


def _failed_before(v: View) -> float:
    failed = _failed(v.previous)
    return failed and _like_previous(v.previous_key, v.target)


#: Features of both stages of the ranker, in the order of its coefficients.
FEATURES: tuple[Feature, ...] = (
    Feature("bi_encoder", "inner product", "bi-encoder score", lambda v: v.candidate.bi_encoder or 0.0),
    Feature("bi_encoder_lead", "inner product", "its lead over the best of another meaning", _lead),
    _score("characters", "edit similarity of the texts", lambda v: similarity(v.source, v.target)),
    _score("words", "similarity of the sets of words", lambda v: token_similarity(v.source, v.target)),
    _score("kept", "share of the request's words that it has too", lambda v: kept(v.source, v.target)),
    _score("sound", "similarity of the Metaphone keys", lambda v: sound_similarity(v.source, v.target)),
    Feature("words_more", "words", "words of the candidate more than of the request", _words_more),
    Feature("n_words", "log words", "length of the request", lambda v: math.log1p(len(v.source.split())), shared=True),
    _flag("asr_known", "the recogniser gave a confidence", lambda v: v.request.asr_confidence is not None, shared=True),
    _score("asr_confidence", "the recogniser's confidence", lambda v: _told(v.request.asr_confidence), shared=True),
    _flag("nlu_asked", "NLU had a first look", lambda v: v.request.interpretation is not None, shared=True),
    _flag("nlu_understood", "NLU's first look found an intent", lambda v: v.request.intent is not None, shared=True),
    _score("nlu_confidence", "NLU's confidence in its intent", _nlu_confidence, shared=True),
    _flag("request_known", "others said this wording with success", lambda v: v.known.entry is not None, shared=True),
    _score("request_defect", "defect rate of this wording, shrunk", _request_defect, shared=True),
    Feature("request_turns", "log turns", "how often it was said", lambda v: math.log1p(sum(v.history)), shared=True),
    Feature("request_own", "log turns", "this user's successes with it", lambda v: _own_count(v.known.own), shared=True),
    _flag("candidate_known", "others said the candidate with success", lambda v: v.candidate.entry is not None),
    _score("candidate_success", "success rate of the candidate, shrunk; 0 of what nobody said", _candidate_success),
    Feature("candidate_users", "log users", "users who said the candidate", _users),
    Feature("popularity", "log ratio", "successes of the candidate to turns of the request", _popularity),
    _flag("is_personal", "in the user's own history", lambda v: v.candidate.own is not None),
    Feature("own_count", "log turns", "this user's successes with the candidate", lambda v: _own_count(v.candidate.own)),
    _score("own_share", "share of this user's successes", _own_share),
    Feature("own_days", "log days", "since this user's last success with the candidate", _own_days),
    _score("own_like", "likeness of the user's own requests of its meaning", lambda v: _of_own(v, v.standing.own)),
    _score("own_rival", "likeness of the user's own requests of other meanings", lambda v: _of_own(v, v.standing.own_rival)),
    Feature(
        "domain", "-1, 0, 1", "domain differs, unknown, same", lambda v: _agree(v.interpretation[0], v.candidate.domain)
    ),
    Feature(
        "intent", "-1, 0, 1", "intent differs, unknown, same", lambda v: _agree(v.interpretation[1], v.candidate.intent)
    ),
    Feature("context_fit", "log ratio", "how much likelier its interpretation is in this context", _context_fit),
    _flag("in_nbest", "the recogniser heard it too", lambda v: v.candidate.rank is not None),
    Feature("nbest_rank", "places", "place in the n-best, 0 = first or absent", lambda v: float(v.candidate.rank or 0)),
    Feature("nbest_gap", "score", "n-best score of the first minus its own", _gap),
    _score("nbest_like", "edit similarity to all that the recogniser heard, on average", lambda v: v.heard.like(v.target)),
    _score("heard", "how well each of its words was heard in any hypothesis, on average", lambda v: v.heard.words(v.target)),
    _flag("numbers", "the numbers differ", _numbers_differ),
    _flag("negations", "the negations differ", lambda v: negations(v.source) != negations(v.target)),
    _flag("previous_failed", "the previous turn visibly failed", lambda v: _failed(v.previous), shared=True),
    _score("repeat", "edit similarity to the previous request", lambda v: v.repeat, shared=True),
    _score("failed_before", "the candidate's similarity to a previous request that failed", _failed_before),
)
#: The second stage adds the cross-encoder's logit.
CROSS_ENCODER = Feature("cross_encoder", "logit", "cross-encoder score", lambda v: v.candidate.cross_encoder or 0.0)
NAMES = tuple(f.name for f in FEATURES)
_SHARED = [place for place, feature in enumerate(FEATURES) if feature.shared]
_APART = [place for place, feature in enumerate(FEATURES) if not feature.shared]


def named(row: NDArray[np.float64]) -> dict[str, float | None]:
    """Features (len(FEATURES),) by name; None for what is unknown."""
    by_name: dict[str, float | None] = dict(zip(NAMES, row.tolist(), strict=True))
    for place in np.flatnonzero(np.isnan(row)).tolist():
        by_name[NAMES[place]] = None
    return by_name


def features_of(request: Request, known: Known, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Features of the candidates of one request, (n, len(FEATURES)); those of one may depend on the others."""
    previous = request.previous_turns[-1] if request.previous_turns else None
    previous_key = normalise(previous.utterance)[:MOST_CHARACTERS] if previous else ""
    repeat = _like_previous(previous_key, request.key)
    contexts = contexts_of(request.context, previous.response if previous else None)
    heard = Heard(request)
    views = [
        View(request, known, candidate, standing, heard, previous, previous_key, repeat, contexts)
        for candidate, standing in zip(candidates, standings(request.key, candidates), strict=True)
    ]
    out = np.empty((len(views), len(FEATURES)))
    if views:
        out[:, _SHARED] = [FEATURES[place].of(views[0]) for place in _SHARED]
        out[:, _APART] = [[FEATURES[place].of(view) for place in _APART] for view in views]
    return out
