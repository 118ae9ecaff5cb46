"""The span of one SQL statement, by OpenTelemetry's conventions for databases. It has no value of a parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from psycopg import AsyncConnection

from chassis.request.spans import Kind, Link

WORDS = re.compile(
    r"\b(SELECT|INSERT\s+INTO|(?<!FOR )(?<!DO )UPDATE|DELETE\s+FROM|(?<!DISTINCT )FROM|JOIN)\s+(\w+)", re.IGNORECASE
)
"""What a statement does, and with which table."""
LONGEST_SUMMARY = 100


@dataclass(slots=True, frozen=True)
class StatementSpan:
    """A statement that has ended. `database` are the attributes of all its statements, and `text` has places for the
    parameters."""

    kind: ClassVar[Kind] = "client"
    database: Mapping[str, Any]
    text: str
    span_id: str
    began: float
    ended: float
    failure: str
    links: Sequence[Link] = ()

    @property
    def name(self) -> str:
        return summary(self.text)

    def attributes(self) -> Mapping[str, Any]:
        found = {**self.database, "db.query.text": self.text, "db.query.summary": summary(self.text)}
        if self.failure.isalnum() and len(self.failure) == 5:
            found["db.response.status_code"] = self.failure
        return found


@lru_cache(500)
def summary(text: str) -> str:
    """What a statement does with which tables, such as `SELECT pessoa`; for others, their first word."""
    words: list[str] = []
    for verb, name in WORDS.findall(text):
        match verb.split()[0].upper():
            case "FROM" | "JOIN":
                words.append(name)
            case "SELECT":
                words.append("SELECT")
            case other:
                words += [other, name]
    return " ".join(words)[:LONGEST_SUMMARY] or text.split(maxsplit=1)[0].upper()


def kind_of(failure: BaseException) -> str:
    """What a statement failed by: PostgreSQL's code if there is one."""
    known = failure if isinstance(failure, psycopg.Error) else failure.__cause__
    code = known.sqlstate if isinstance(known, psycopg.Error) else None
    return code or type(known or failure).__name__


def described(connection: AsyncConnection[Any]) -> Mapping[str, Any]:
    """The attributes of all statements on this connection."""
    info = connection.info
    return {
        "db.system.name": "postgresql",
        "db.namespace": info.dbname,
        "server.address": info.host,
        "server.port": info.port,
    }
