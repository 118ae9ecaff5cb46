"""Judges answers during a fault: where no affected service is needed they must be exact, and elsewhere they may be a
failure that is reported as such.

A failed field is `null` with an error at its path and the service's name (GraphQL), or named in `indisponiveis` (the
coordinator); a failed request is a 503 or 504 with its code (REST). It must name a service that the fault affects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

CODES = {"UNAVAILABLE", "TIMEOUT"}
OWNERS = {"servico_solicitado": "servicos", "solicitante": "pessoas", "produto_associado": "catalogo"}


@dataclass(frozen=True)
class Fault:
    """What may fail during a fault: fields and requests of the services that it `hurts`, and any request to the
    processes that are `down`."""

    hurts: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    reads_go_on: bool = False
    """Only writes are affected."""
    overdue: bool = False
    """The gateway is stopped for longer than a request may take, so requests under way in it may time out."""
    balanced: bool = False
    """A balancer answers for a process that is away, by a 502 too."""
    drains: bool = False
    """Processes are told to stop, and then answer that they are not ready."""


@dataclass(frozen=True)
class Answer:
    """An answer. It has no status if the connection broke, or if nothing came within the time that the client waits."""

    status: int | None
    body: bytes
    broke: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Verdict:
    """`failed_fields` and `unavailable` count failures in the promised form; `wrong` lists what breaks a promise."""

    failed_fields: int = 0
    unavailable: bool = False
    wrong: list[str] = field(default_factory=list[str])

    @property
    def good(self) -> bool:
        return not (self.failed_fields or self.unavailable or self.wrong)


Judge = Callable[[Answer, Fault], Verdict]


def judged(process: str, answer: Answer, fault: Fault, well: Callable[[Any], Verdict]) -> Verdict:
    """`well` judges a success; any other answer must be a failure that the fault explains."""
    if answer.status is None:
        excused = process in fault.down
        return Verdict(unavailable=True, wrong=[] if excused else [f"{process}: no answer: {answer.broke}"])
    try:
        found = answer.json
    except ValueError:
        return Verdict(wrong=[f"{process}: {answer.status} is no JSON: {answer.body[:200]!r}"])
    if answer.status in (503, 504) or (fault.balanced and answer.status == 502):
        culprit = found.get("service", process)
        if found.get("code") in CODES and culprit in fault.hurts:
            return Verdict(unavailable=True)
    if answer.status >= 300:
        return Verdict(wrong=[f"{process}: {answer.status} {answer.body[:300].decode(errors='replace')}"])
    return well(found)


def exact(process: str, expected: Any) -> Judge:
    """A REST answer that has no parts."""

    def well(found: Any) -> Verdict:
        return Verdict() if found == expected else Verdict(wrong=[f"{process}: {found!r}, not {expected!r}"])

    return lambda answer, fault: judged(process, answer, fault, well)


def ready(process: str) -> Judge:
    """The readiness of a process."""
    judge = exact(process, {"status": "ready"})
    return lambda answer, fault: Verdict() if fault.drains and answer.status == 503 else judge(answer, fault)


def coordinator(expected: dict[str, Any]) -> Judge:
    """The coordinator's view: complete, or with members that could not be fetched."""

    def judge(answer: Answer, fault: Fault) -> Verdict:
        def well(found: Any) -> Verdict:
            away: list[str] = found.pop("indisponiveis", [])
            whole = found == expected | dict.fromkeys(away)
            excused = {OWNERS[name] for name in away} <= fault.hurts
            return Verdict(len(away), wrong=[] if whole and excused else [f"solicitacoes: {found!r}, away: {away}"])

        return judged("solicitacoes", answer, fault, well)

    return judge


def graphql(expected: Any) -> Judge:
    """A GraphQL answer: every field is as expected, or null with an error that the fault explains."""

    def judge(answer: Answer, fault: Fault) -> Verdict:
        return judged("gateway", answer, fault, lambda found: compare(expected, found, fault))

    return judge


def compare(expected: Any, found: dict[str, Any], fault: Fault) -> Verdict:
    verdict = Verdict()
    errors = {tuple(error.get("path", ())): error for error in found.get("errors", ())}
    seen: set[tuple[Any, ...]] = set()

    def walk(there: Any, here: Any, path: tuple[Any, ...]) -> None:
        if here is None and there is not None:
            seen.add(path)
            if path not in errors:
                verdict.wrong.append(f"gateway: null without an error at {path}")
        elif isinstance(there, dict) and isinstance(here, dict):
            ours, theirs = cast("dict[str, Any]", there), cast("dict[str, Any]", here)
            for name in ours.keys() | theirs.keys():
                walk(ours.get(name, "absent"), theirs.get(name, "absent"), (*path, name))
        elif (
            isinstance(there, list)
            and isinstance(here, list)
            and len(cast("list[Any]", there)) == len(cast("list[Any]", here))
        ):
            for n, (one, other) in enumerate(zip(cast("list[Any]", there), cast("list[Any]", here), strict=True)):
                walk(one, other, (*path, n))
        elif there != here:
            verdict.wrong.append(f"gateway: {path} is {here!r}, not {there!r}")

    walk(expected, found.get("data"), ())
    for path, error in errors.items():
        extensions = error.get("extensions", {})
        code = extensions.get("code")
        excused = extensions.get("service") in fault.hurts or (fault.overdue and code == "TIMEOUT")
        if path not in seen or code not in CODES or not excused:
            verdict.wrong.append(f"gateway: {json.dumps(error, ensure_ascii=False)}")
    verdict.failed_fields = len(errors)
    return verdict
