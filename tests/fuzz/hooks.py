"""Hooks that tell Schemathesis about the rows: without real ids, ETags and cursors all its requests would be refused.

Loaded by Schemathesis in a process of its own (see `schemathesis.toml`). `before_call` puts existing values into the
part of a case that is meant to be valid, and leaves the part alone that is meant to be wrong. The case itself decides
whether this is done and with which row, so that a seed can be run again. `after_call` learns from the answers and
counts them.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, cast

import httpx2
import schemathesis
from pydantic import ValidationError
from schemathesis import Case, HookContext, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from chassis.query.models import RowFilter
from chassis.query.pagination import cursor
from tests.fuzz.campaign import COUNTS, URLS
from tests.resources import ALL

Row = dict[str, Any]
FEWEST, MOST = 20, 200
"""The number of rows to which a collection is filled before the first request, and the highest number of rows that are
remembered."""
PARENTS = 50
"""The number of parents in one grouped query, chosen so that parents times page size stays within its bound, which a
schema cannot express."""

urls: dict[str, str] = json.loads(os.environ[URLS])
counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
atexit.register(lambda: Path(os.environ[COUNTS]).write_text(json.dumps(counts)))


class Rows:
    """The rows of one collection that exist now, each with its ETag if an answer has shown it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.url = urls[OWNERS[path]] + path
        self.known: dict[int, Row] = {}
        self.tags: dict[int, str] = {}

    def pick(self, rng: random.Random) -> Row:
        if not self.known:
            self.load()
        while len(self.known) < FEWEST:
            self.add()
        return self.known[rng.choice(list(self.known))]

    def load(self) -> None:
        rows = httpx2.get(self.url, params={"ordering": "-id", "page_size": MOST}, timeout=30).json()
        self.known = {row["id"]: row for row in rows}

    def add(self) -> None:
        answer = httpx2.post(self.url, json=new(self.path, len(self.known)), timeout=30)
        assert answer.status_code == 201, answer.text
        self.learn(answer.json(), answer.headers["ETag"])

    def learn(self, row: Row, tag: str | None) -> None:
        if len(self.known) < MOST or row["id"] in self.known:
            self.known[row["id"]] = row
            self.tags |= {row["id"]: tag} if tag else {}

    def forget(self, id: str) -> None:
        if id.isdecimal():  # a link gives it as text, and a wrong one may have any type
            self.known.pop(int(id), None)
        if self.path == "/api/categorias/":  # its produtos were deleted with it
            rows["/api/produtos/"].known.clear()


OWNERS = {resource.path: resource.service for resource in ALL}
EXAMPLES = {resource.path: resource.example for resource in ALL}
REFERENCES = {f"{resource.noun}_id": resource.path for resource in ALL}
rows = {path: Rows(path) for path in OWNERS}
chance_of_new = random.Random(0)


def new(path: str, number: int) -> Row:
    """The body of a POST."""
    found: Row = {}
    for field, example in EXAMPLES[path].items():
        if field in REFERENCES:
            found[field] = rows[REFERENCES[field]].pick(chance_of_new)["id"]
        else:
            found[field] = f"Nome {number}" if field.startswith("nome_") else example
    return found


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    meta = case.meta
    path = collection_of(case.path)
    if meta and case.query and "wait" in case.query and not meta.is_negative_at(ParameterLocation.QUERY):
        case.query["wait"] = 0  # nothing changes while it waits
    if meta is None or path is None:
        return
    rng = random.Random(zlib.crc32(repr((case.method, case.path_parameters, case.query, case.body)).encode()))
    stateful = meta.phase.name is TestPhase.STATEFUL
    known = rows[path]
    if not meta.is_negative_at(ParameterLocation.PATH) and case.path_parameters and not stateful and rng.random() < 0.9:
        case.path_parameters = {"id": known.pick(rng)["id"]}
    if not meta.is_negative_at(ParameterLocation.QUERY) and case.query:
        real_query(case, known, rng)
    if not meta.is_negative_at(ParameterLocation.BODY) and isinstance(case.body, dict):
        body = cast("Row", case.body)
        case.body = real_question(body, known, rng) if case.path.endswith("/query/") else real_references(body, rng)
    if not meta.is_negative_at(ParameterLocation.HEADER):
        real_headers(case, known, rng, stateful=stateful)


def collection_of(path: str) -> str | None:
    path = path.replace("/api/v1/", "/api/", 1)
    return next((collection for collection in OWNERS if path.startswith(collection)), None)


def real_headers(case: Case[Any], known: Rows, rng: random.Random, *, stateful: bool) -> None:
    headers = cast("dict[str, str]", case.headers)  # pyright: ignore[reportUnknownMemberType]
    tag = known.tags.get((case.path_parameters or {}).get("id", 0), "*")
    for name in headers.keys() & {"If-Match", "If-None-Match"}:
        if not stateful:  # in a stateful case an earlier answer has given the tag
            headers[name] = rng.choice([tag, tag, "*", headers[name]])
    unwanted = "If-Match" if case.method == "GET" and stateful else "If-None-Match"
    if (case.method != "GET" or stateful) and rng.random() < 0.9:  # else hardly any request would pass it
        headers.pop(unwanted, None)
    if "Prefer" in headers and rng.random() < 0.5:
        headers["Prefer"] = "return=representation"
    # A key is used again only for the same request, since another request under it is rightly refused.
    if "Idempotency-Key" in headers:
        asked = (
            case.id
            if stateful
            else zlib.crc32(repr((case.method, case.path, case.path_parameters, case.body)).encode())
        )
        headers["Idempotency-Key"] = f"{headers['Idempotency-Key'][:200]}-{asked}"


def real_query(case: Case[Any], known: Rows, rng: random.Random) -> None:
    query = case.query
    if "cursor" in query:
        query.pop("before", None)  # the two exclude each other, which OpenAPI parameters cannot express
    for name in query.keys() & {"cursor", "before"}:
        query[name] = place(query.get("ordering", "id"), known.pick(rng))
    for name in query.keys() & {"id", *REFERENCES}:
        if rng.random() < 0.5:
            ids = some_ids(rows[REFERENCES[name]] if name in REFERENCES else known, rng)
            query[name] = ",".join(map(str, ids))


def real_question(body: Row, known: Rows, rng: random.Random) -> Row:
    """The body of the richer read."""
    asked = dict(body)
    if "filter" in asked and too_large(asked["filter"]):
        del asked["filter"]
    for name in asked.keys() & {"after", "before"}:
        asked[name] = place(asked.get("ordering", "id"), known.pick(rng))
    if "ids" in asked and rng.random() < 0.5:
        asked["ids"] = some_ids(known, rng)
    if "per" in asked:
        parents = rows[REFERENCES[asked["per"]["field"]]]
        ids = some_ids(parents, rng) if rng.random() < 0.5 else asked["per"]["ids"][:PARENTS]
        asked["per"] = asked["per"] | {"ids": ids}
    return asked


def too_large(filter: Row) -> bool:
    """Whether a filter passes the bound on all its terms together, which a schema cannot express."""
    try:
        RowFilter.model_validate(filter)
    except ValidationError as failure:
        return "LIMIT_EXCEEDED" in str(failure)
    return False


def real_references(body: Row, rng: random.Random) -> Row:
    return body | {field: rows[REFERENCES[field]].pick(rng)["id"] for field in body.keys() & REFERENCES.keys()}


def some_ids(known: Rows, rng: random.Random) -> list[int]:
    return [known.pick(rng)["id"] for _ in range(rng.randint(1, 5))]


def place(ordering: str, row: Row) -> str:
    field = ordering.removeprefix("-")
    return cursor(field, row[field], row["id"])


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]
def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
    if response.request.method != case.operation.method.upper():
        return  # a probe with another method
    counts[case.operation.label][f"{response.status_code // 100}xx"] += 1
    path = collection_of(case.path)
    if path is None:
        return
    deleted = case.operation.method.upper() == "DELETE" and response.status_code in (200, 204)
    if deleted or response.status_code == 404:
        rows[path].forget(str((case.path_parameters or {}).get("id")))
    elif "idempotency-replayed" in response.headers:
        pass  # that row may be gone by now
    elif response.status_code in (200, 201) and "etag" in response.headers:
        rows[path].learn(response.json(), response.headers["etag"][0])
