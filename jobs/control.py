"""The stop controls and one request at a time: rewrite, block, approve, bundles, rollback. Each is a command of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.command import Parser
from jobs.terminal import terminal_parser
from rewriter.bundle import layout
from rewriter.bundle.controls import EVERYWHERE, Controls, PairKey, pair_key, record
from rewriter.bundle.pairs import read_pairs
from rewriter.bundle.regression import Case, add_case, drop_case
from rewriter.bundle.verify import require_whole, verify
from rewriter.bundle.write import choose, roll_back
from rewriter.decision.decision import Decision
from rewriter.decision.engine import Engine
from rewriter.decision.request import Request
from rewriter.errors import RewriterError
from rewriter.locales import canonical_locale, locale_fault
from schemas.table import ContractError


def _require_bundles(folder: Path) -> Path:
    if not folder.is_dir():
        raise RewriterError(f"no folder of bundles at {folder}")
    return folder


def _require_locale(parser: Parser, tag: str | None) -> None:
    if tag is not None and (fault := locale_fault(tag)):
        parser.error(f"--locale: {fault}")


def _spelled(locales: Iterable[str], tag: str | None) -> str | None:
    """The bundle's own spelling of a locale, the canonical one where the bundle has no data for it."""
    if tag is None:
        return None
    canonical = canonical_locale(tag)
    return next((own for own in sorted(locales) if canonical_locale(own) == canonical), canonical)


def _show(decision: Decision, version: str) -> None:
    rewrite = f"'{decision.rewrite}'" if decision.rewrite is not None else "no rewrite"
    probability = "" if decision.probability is None else f" (probability {decision.probability:.3f})"
    print(f"{rewrite}{probability}\nsource: {decision.source}\nreason: {decision.reason}\nbundle: {version}")
    if decision.candidates:
        print("candidates:")
    for candidate in decision.candidates:
        chance = "    -" if candidate.probability is None else f"{candidate.probability:.3f}"
        refused = f"  ({candidate.refused})" if candidate.refused else ""
        print(f"  {chance}  {candidate.layer:<11} {candidate.utterance}{refused}")


def rewrite(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Decide on one request, as the service would with no experiment, and say why."""
    example = '"play beet it" --bundles warehouse/bundles --user u1'
    parser = terminal_parser("rewrite", rewrite.__doc__, example)
    parser.add_argument("text", help="the request")
    parser.add_argument("--user", help="whose own history to look at")
    parser.add_argument("--locale", help="default: the locale the bundle knows best")
    parser.add_argument("--json", action="store_true", help="print the decision as JSON")
    args = parser.parse_args(argv)
    _require_locale(parser, args.locale)
    if not args.text.strip():
        parser.error("the request is blank")
    bundle = layout.current(args.bundles)
    require_whole(bundle, whole=False)
    manifest = layout.read_manifest(bundle)
    locales = manifest["metrics"].get("locales", {})
    locale = _spelled(locales, args.locale) or layout.main_locale(manifest)
    engine = Engine.load(bundle)
    try:
        request = Request(args.text, locale, user_id=args.user, at=datetime.now(UTC))
        decision = engine.decide(request, Controls.read(args.bundles))
    finally:
        engine.close()
    shown = {name: getattr(decision, name) for name in ("rewrite", "source", "probability", "reason", "rewrite_id")}
    if args.json:
        candidates = [asdict(candidate) for candidate in decision.candidates]
        print(json.dumps(shown | {"bundle_version": bundle.name, "candidates": candidates}, indent=2, default=str))
    else:
        _show(decision, bundle.name)
    return shown


def _pair_parser(name: str, description: str | None, example: str) -> Parser:
    parser = terminal_parser(name, description, example)
    parser.add_argument("source", help="the request")
    parser.add_argument("rewrite", help="what it is rewritten to")
    parser.add_argument("--locale", help="default: every locale")
    parser.add_argument("--reason", default="", help="kept beside the decision")
    return parser


def _key(parser: Parser, source: str, rewrite_to: str, locale: str | None) -> PairKey:
    _require_locale(parser, locale)
    key = pair_key(source, rewrite_to, locale)
    if not key[1] or not key[2]:
        parser.error("source and rewrite need a word each")
    return key


def _text(key: PairKey) -> str:
    locale, source, rewrite_to = key
    return f"'{source}' -> '{rewrite_to}' in {'every locale' if locale == EVERYWHERE else locale}"


def _require_blocked(controls: Controls, key: PairKey) -> None:
    """Return if this very pair is blocked: what was approved, or blocked under another locale, is not undone."""
    if key in frozenset(controls.blocked):
        return
    if key in controls.blocked:
        raise RewriterError(f"{_text(key)} is blocked in every locale: undo it without --locale")
    raise RewriterError(f"{_text(key)} is not blocked")


def block(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Never serve a rewrite again: running services stop within a second, later bundles keep it out.

    The pair also joins the regression set, so that a bundle which would serve it is refused.
    """
    parser = _pair_parser("block", block.__doc__, '"play beet it" "play beat it" --bundles warehouse/bundles')
    parser.add_argument("--undo", action="store_true", help="let the pair in again, if later evidence supports it")
    args = parser.parse_args(argv)
    bundles = _require_bundles(args.bundles)
    key = _key(parser, args.source, args.rewrite, args.locale)
    locale, source, rewrite_to = key
    entry = {"locale": locale, "source": source, "rewrite": rewrite_to, "reason": args.reason}
    controls = Controls.read(bundles)  # what cannot be read cannot be added to
    if args.undo:
        _require_blocked(controls, key)
        record(bundles, {"action": "unblock", **entry})
        drop_case(bundles, key)
        print(f"no longer blocked: {_text(key)}")
        return {"unblocked": list(key)}
    if not (bundles / layout.CONTROLS).exists():
        layout.current(bundles)
    record(bundles, {"action": "block", **entry})
    add_case(bundles, Case(locale, source, rewrite_to, args.reason))
    print(f"blocked: {_text(key)}")
    return {"blocked": list(key)}


def approve(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Let a pending pair be served, now and in later bundles."""
    parser = _pair_parser("approve", approve.__doc__, '"play beet it" "play beat it" --bundles warehouse/bundles')
    args = parser.parse_args(argv)
    bundles = _require_bundles(args.bundles)
    key = _key(parser, args.source, args.rewrite, args.locale)
    locale, source, rewrite_to = key
    if key in (controls := Controls.read(bundles)).blocked:
        why = controls.reason(*key) or "no reason given"
        raise RewriterError(f"{_text(key)} is blocked ({why}); `rewriter block --undo` comes first")
    pairs = read_pairs(layout.current(bundles) / layout.PAIRS).select(["locale", "source", "rewrite"]).to_pylist()
    if not any(
        p["source"] == source and p["rewrite"] == rewrite_to and locale in (EVERYWHERE, canonical_locale(p["locale"]))
        for p in pairs
    ):
        raise RewriterError(f"{_text(key)} is no pair of the current bundle")
    entry = {"locale": locale, "source": source, "rewrite": rewrite_to, "reason": args.reason}
    record(bundles, {"action": "approve", **entry})
    print(f"approved: {_text(key)}")
    return {"approved": list(key)}


def _line(folder: Path, version: str, mark: str, *, whole: bool) -> tuple[str, list[str]]:
    """One version as a line, and its faults if it was to be verified."""
    faults = verify(folder / version) if whole else []
    try:
        manifest = layout.read_manifest(folder / version)
    except (RewriterError, ContractError) as error:
        return f"{mark} {version}  damaged", faults or [str(error)]
    days = "..".join(manifest["data_days"]) or "-"
    counts = ", ".join(f"{n} {status}" for status, n in manifest["metrics"].get("pairs", {}).items()) or "no pairs"
    state = ("  damaged" if faults else "  whole") if whole else ""
    overall = next((r for r in manifest["metrics"].get("win_loss", []) if r["layer"] == r["domain"] == "all"), None)
    ratio = "" if overall is None else f"  wins {overall['wins']} losses {overall['losses']}"
    return f"{mark} {version}  parent {manifest['parent'] or '-'}  days {days}  {counts}{ratio}{state}", faults


def bundles(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """List the published versions; `*` marks the current one."""
    parser = terminal_parser("bundles", bundles.__doc__, "--bundles warehouse/bundles --verify")
    parser.add_argument("--verify", action="store_true", help="read every byte and compare it with the manifest")
    parser.add_argument("--activate", metavar="VERSION", help="make this version current")
    args = parser.parse_args(argv)
    folder = _require_bundles(args.bundles)
    if args.activate:
        choose(folder, args.activate)
    now, listed, bad = layout.current_version(folder), layout.versions(folder), []
    for version in listed:
        line, faults = _line(folder, version, "*" if version == now else " ", whole=args.verify)
        print(line)
        bad += [f"{version}: {fault}" for fault in faults]
    if bad:
        raise RewriterError("; ".join(bad))
    return {"current": now, "bundles": listed}


def rollback(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Go back to the version before the current one; running services follow within a second, no request is lost.

    The version that is left stays out when the same content is published again, until `rewriter bundles --activate`.
    """
    parser = terminal_parser("rollback", rollback.__doc__, "--bundles warehouse/bundles")
    parser.add_argument("--reason", default="", help="kept beside the decision")
    args = parser.parse_args(argv)
    folder = _require_bundles(args.bundles)
    now, parent = roll_back(folder, args.reason)
    print(f"rolled back: {now} -> {parent}")
    return {"from": now, "to": parent}
