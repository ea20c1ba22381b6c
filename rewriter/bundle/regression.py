"""Rewrites that did harm once: a bundle that would serve one of them again is not published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from rewriter.bundle.controls import EVERYWHERE, Controls, PairKey
from rewriter.bundle.durable import append_line, only_writer, replace_file
from rewriter.bundle.layout import REGRESSION
from rewriter.errors import RewriterError
from rewriter.locales import canonical_locale
from rewriter.text import normalise

#: Answers a normalised request of a locale as the bundle would; None leaves it alone.
Rewriter = Callable[[str, str], str | None]


@dataclass(frozen=True, order=True)
class Case:
    """A request and the rewrite it must not get; the texts are normalised, locale ``*`` means every locale."""

    locale: str
    source: str
    rewrite: str
    reason: str = ""

    @property
    def key(self) -> PairKey:
        """Identity of the case."""
        return self.locale, self.source, self.rewrite

    def __str__(self) -> str:
        """The case as messages name it."""
        where = "" if self.locale == EVERYWHERE else f" ({self.locale})"
        why = f": {self.reason}" if self.reason else ""
        return f"'{self.source}' -> '{self.rewrite}'{where}{why}"

    def line(self) -> bytes:
        """The case as one JSON line without its end."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()


def _case(text: bytes) -> Case:
    values = json.loads(text)
    source, rewrite = values["source"], values["rewrite"]
    locale, reason = values.get("locale") or EVERYWHERE, values.get("reason") or ""
    if not all(isinstance(v, str) for v in (source, rewrite, locale, reason)):
        raise TypeError("source, rewrite, locale and reason are texts")
    return Case(canonical_locale(locale), normalise(source), normalise(rewrite), reason)


def read_cases(path: Path) -> list[Case]:
    """Cases of a JSON-lines file, sorted, each once; no file means no cases.

    Raises
    ------
    RewriterError
        Naming the file and every line that is not a case.
    """
    if not path.exists():
        return []
    cases, faults = {}, []
    for number, text in enumerate(path.read_bytes().split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            case = _case(text)
            cases[case.key] = case
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            faults.append(f"line {number}: not a case with source and rewrite ({type(error).__name__}: {error})")
    if faults:
        raise RewriterError(f"{path}: " + "; ".join(faults))
    return sorted(cases.values())


def cases_of(bundles: Path, extra: Iterable[Case] = ()) -> list[Case]:
    """The regression set of a folder of bundles, with more cases if given, sorted, each once."""
    return sorted({case.key: case for case in [*read_cases(bundles / REGRESSION), *extra]}.values())


def add_case(bundles: Path, case: Case) -> None:
    """Keep a case for every later bundle; one that is known already changes nothing."""
    with only_writer(bundles):
        if case.key not in {known.key for known in read_cases(bundles / REGRESSION)}:
            append_line(bundles / REGRESSION, case.line())


def drop_case(bundles: Path, key: PairKey) -> None:
    """Forget the case of a pair; one that is not known changes nothing."""
    with only_writer(bundles):
        cases = read_cases(bundles / REGRESSION)
        kept = [case for case in cases if case.key != key]
        if len(kept) < len(cases):
            replace_file(bundles / REGRESSION, b"".join(case.line() + b"\n" for case in kept))


def _matches(case: Case, pairs: pa.Table) -> Iterator[str]:
    """Locales in which the pairs hold the case as an active pair."""
    rows = pairs.select(["locale", "source", "rewrite", "status"]).to_pylist()
    for row in rows:
        same = row["source"] == case.source and row["rewrite"] == case.rewrite
        if same and row["status"] == "active" and case.locale in (EVERYWHERE, canonical_locale(row["locale"])):
            yield row["locale"]


def _answers(case: Case, rewrite_of: Rewriter, locales: Iterable[str]) -> Iterator[str]:
    """Locales in which the bundle would answer the case with its bad rewrite."""
    own = [locale for locale in locales if case.locale in (EVERYWHERE, canonical_locale(locale))]
    for locale in own or ([] if case.locale == EVERYWHERE else [case.locale]):
        answer = rewrite_of(locale, case.source)
        if answer is not None and normalise(answer) == case.rewrite:
            yield locale


def regression_faults(
    cases: Iterable[Case], pairs: pa.Table, locales: Iterable[str], rewrite_of: Rewriter | None, controls: Controls
) -> list[str]:
    """Cases that the new bundle would serve again, each as one line; blocked ones cannot be served and are skipped.

    Parameters
    ----------
    cases
        The regression set.
    pairs
        The bundle's pairs, `schemas.tables.REWRITE_PAIRS`.
    locales
        Locales the bundle has data for.
    rewrite_of
        The bundle's own decision, every layer included; None to look at the pairs alone.
    controls
        What operators blocked: the service refuses those whatever the bundle says.
    """
    faults, locales = [], sorted(locales)
    for case in cases:
        bad = set(_matches(case, pairs)) | (set(_answers(case, rewrite_of, locales)) if rewrite_of else set())
        if any(not controls.is_blocked(locale, case.source, case.rewrite) for locale in bad):
            faults.append(str(case))
    return faults
