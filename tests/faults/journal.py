"""Records every write of the load and what is known of it, and checks in the end whether the databases agree.

Each write has a key of its own and leaves something unique. An acknowledged write must be in the database exactly once;
a write that was never acknowledged may be there, but at most once.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any, cast

import psycopg
from psycopg import sql

from tests.faults.reads import Demo
from tests.faults.verdict import Answer, Fault, Verdict, compare, judged

Values = tuple[Any, ...]
"""The columns of a row, in the order of its kind."""
AGAIN = {"IN_PROGRESS", "CONTENDED"}
"""Conflicts that only mean that the client should try again later."""


@dataclass(frozen=True)
class Kind:
    service: str
    table: str
    columns: tuple[str, ...]

    @property
    def path(self) -> str:
        return f"/api/{'solicitacoes' if self.table == 'solicitacao' else f'{self.table}s'}/"

    def body(self, values: Values) -> dict[str, Any]:
        return dict(zip(self.columns, values, strict=True))

    def input(self, values: Values) -> dict[str, Any]:
        """The same for the gateway, whose names are in camelCase."""
        return {first + rest.title().replace("_", ""): value for (first, rest), value in self._split(values)}

    def _split(self, values: Values) -> Iterator[tuple[tuple[str, str], Any]]:
        for column, value in self.body(values).items():
            first, mark, rest = column.partition("_")
            yield (first, mark + rest), value


PESSOA = Kind("pessoas", "pessoa", ("nome_pessoa",))
SERVICO = Kind("servicos", "servico", ("nome_servico",))
PRODUTO = Kind("catalogo", "produto", ("nome_produto", "categoria_id"))
SOLICITACAO = Kind("solicitacoes", "solicitacao", ("servico_id", "pessoa_id", "produto_id"))
KINDS = (PESSOA, SERVICO, PRODUTO, SOLICITACAO)


@dataclass(eq=False)
class Row:
    """A row that the load has written. `may_be` are the states in which it can be, as far as is known; None means that
    it does not exist."""

    kind: Kind
    may_be: set[Values | None]
    id: int | None = None


@dataclass(eq=False)
class Write:
    """One write, sent with the same key until it is acknowledged. `becomes` is its effect; None: the row is deleted."""

    row: Row
    process: str
    method: str
    path: str
    body: Any
    becomes: Values | None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    acknowledged: bool = False
    attempts: int = 0

    def judge(self, answer: Answer, fault: Fault) -> Verdict:
        """Records an acknowledgement."""
        if answer.status is None:
            return judged(self.process, answer, fault, lambda _: Verdict())
        if self.process == "gateway":
            return judged("gateway", answer, fault, lambda found: self._through_gateway(found, fault))
        if answer.status == 204:
            return self.done({})
        if answer.status == 409 and answer.json.get("code") in AGAIN:
            return Verdict(unavailable=True)
        return judged(self.process, answer, fault, self.done)

    def done(self, found: Any) -> Verdict:
        """It is acknowledged by an answer that shows the row."""
        self.acknowledged = True
        self.row.may_be = {self.becomes}
        if self.row.id is None:
            self.row.id = int(found["id"])
        return Verdict()

    def _through_gateway(self, found: Any, fault: Fault) -> Verdict:
        payload: Any = cast("dict[str, Any]", found.get("data") or {}).get("written")
        if payload is None:
            return compare({"written": "something"}, found, fault)
        if {error["code"] for error in payload["errors"]} & AGAIN:
            return Verdict(unavailable=True)
        if payload["errors"] or not payload["row"]:
            return Verdict(wrong=[f"gateway: {found}"])
        return self.done(payload["row"])


class Journal:
    """The writes of a run. `demo` are the rows that were there before."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._rows: list[Row] = []
        self._settled: dict[Kind, deque[Row]] = {kind: deque() for kind in KINDS}
        self._names = (f"Falha {n}" for n in count())
        self._triples = (
            one for one in product(range(1, 51), range(1, 501), range(1, 201)) if one not in self._demo.triples
        )

    def writes(self) -> Iterator[Write]:
        """Writes without end: creations, updates and deletions of each kind, through the gateway and to the service."""
        while True:
            for through in ("gateway", ""):
                for kind in KINDS:
                    yield self.create(kind, through)
                    yield self._change(SERVICO if kind is SOLICITACAO else kind, "gateway" if not through else "")
                yield self._delete(PESSOA, through)
                yield self._delete(SOLICITACAO, through)

    def create(self, kind: Kind, through: str = "gateway") -> Write:
        new = self._new(kind)
        row = Row(kind, {None, new})
        self._rows.append(row)
        return _write(row, through, "criar", "POST", kind.path, new)

    def _change(self, kind: Kind, through: str) -> Write:
        if not self._settled[kind]:
            return self.create(kind, through)
        row, new = self._settled[kind].popleft(), self._new(kind)
        row.may_be.add(new)
        return _write(row, through, "atualizar", "PATCH", f"{kind.path}{row.id}/", new)

    def _delete(self, kind: Kind, through: str) -> Write:
        if not self._settled[kind]:
            return self.create(kind, through)
        row = self._settled[kind].popleft()
        row.may_be.add(None)
        return _write(row, through, "excluir", "DELETE", f"{kind.path}{row.id}/", None)

    def _new(self, kind: Kind) -> Values:
        if kind is SOLICITACAO:
            return next(self._triples)
        return (next(self._names), 1) if kind is PRODUTO else (next(self._names),)

    def settled(self, write: Write) -> None:
        """Records that the write has ended. Another write may change its row only if the result of this one is
        known."""
        if write.acknowledged and write.becomes is not None:
            self._settled[write.row.kind].append(write.row)

    def known(self, kind: Kind) -> list[int]:
        """Ids of rows that nobody is changing now."""
        return [row.id for row in self._settled[kind] if row.id is not None]

    def check(self, urls: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Asks the databases which acknowledged writes are lost, and which rows exist more than once."""
        lost, doubled = list[str](), list[str]()
        for kind in KINDS:
            columns = sql.SQL(", ").join(map(sql.Identifier, ("id", *kind.columns)))
            asked = sql.SQL("SELECT {} FROM {} WHERE id > %s").format(columns, sql.Identifier(kind.table))
            with psycopg.connect(urls[kind.service]) as connection:
                found = connection.execute(asked, [self._demo.last_ids[kind.table]]).fetchall()
            there: dict[int, Values] = {row[0]: row[1:] for row in found}
            rows = [row for row in self._rows if row.kind is kind]
            for row in rows:
                if row.id is not None and (now := there.pop(row.id, None)) not in row.may_be:
                    lost.append(f"{kind.table} {row.id} is {now}, not {row.may_be}")
            never_acknowledged = Counter(state for row in rows if row.id is None for state in row.may_be if state)
            more = Counter(there.values()) - never_acknowledged
            doubled += [f"{kind.table} {values} is there {n} times too often" for values, n in more.items()]
        return lost, doubled


def _write(row: Row, through: str, verb: str, method: str, path: str, values: Values | None) -> Write:
    kind = row.kind
    if through != "gateway":
        return Write(row, kind.service, method, path, None if values is None else kind.body(values), values)
    name = kind.table.capitalize()
    variables: dict[str, Any] = {} if row.id is None else {"id": str(row.id)}
    variables |= {} if values is None else {"input": kind.input(values)}
    types = {"id": "ID!", "input": f"{verb.capitalize()}{name}Input!"}
    declared = ", ".join(f"${one}: {types[one]}" for one in variables)
    given = ", ".join(f"{one}: ${one}" for one in variables)
    query = (
        f"mutation ({declared}) {{ written: {verb}{name}({given}) {{ row: {kind.table} {{ id }} errors {{ code }} }} }}"
    )
    return Write(row, "gateway", "POST", "/graphql", {"query": query, "variables": variables}, values)
