"""The REST dialect of this system: every method of a collection and of its members, for any repository.

A service declares its repository and its body model, and `Collection(...)` answers by the common contract: strict
bodies and parameters, keyset pages with `Link` (RFC 8288), conditional requests (RFC 9110), JSON merge patch (RFC
7396), `Idempotency-Key`, `Prefer` (RFC 7240), and a richer read by POST for programs.

Endpoints take the plain request and read it with the chassis's own strict readers. `chassis.rest.openapi` describes
what they take and answer from the same declarations.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from chassis import instants
from chassis.db.columns import RowDict
from chassis.db.database import CONTENDED, Transaction
from chassis.db.filters import cursor_position, orderings
from chassis.db.idempotency import IdempotentRequest
from chassis.db.pages import PageOfRows
from chassis.db.repository import Repository
from chassis.errors import Contended, FieldError, Invalid, NotFound, Refusal, invalid
from chassis.query.models import GroupedQuery, RichQuery, query_model
from chassis.query.pagination import DEFAULT_SIZE, INT8, MAX_SIZE, adjacent_cursor, cursor
from chassis.rest import parameters
from chassis.text import TEXT_MAX
from chassis.web import preferences, query_string
from chassis.web.body import MERGE_PATCH, parse, read_json, require_object, validate
from chassis.web.conditional import etag, not_modified, require_preconditions
from chassis.web.validation import MAX_ERRORS, too_many_errors

ID = re.compile("[1-9][0-9]{0,18}")
"""The only spelling of an id in a path, so that each row has one address."""
MAX_BULK_IDS = 1000
MAX_ATTEMPTS = 3
"""How often a change is tried when the row changes in between."""


class _ChangedSinceError(Exception):
    """The row has changed since the change was checked against it, so it must be checked again."""


def dumps(value: Any) -> bytes:
    """JSON as this system writes it: UTF-8, instants in UTC with `Z`."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(value), status, headers, media_type="application/json")


class Collection:
    """One resource over HTTP.

    `make` builds the repository for a request, `public` describes a row, and `write` validates what may be written.
    `view` describes the GET of one member, with an example, when a service overrides `show`. `expanded` maps read-only
    members to the writable ones that they show (`{"categoria": "categoria_id"}`), so that a client can write back what
    it has read. A service with a rule of its own overrides `check` or `show`.
    """

    expanded: Mapping[str, str] = {}

    def __init__(
        self,
        path: str,
        make: Callable[[Request], Repository],
        kind: type[Repository],
        *,
        public: type[BaseModel],
        write: type[BaseModel],
        example: Mapping[str, Any],
        view: tuple[type[BaseModel], Mapping[str, Any]] | None = None,
    ) -> None:
        self.path, self.make, self.kind, self.public, self.write = path, make, kind, public, write
        self.example, self.view = example, view
        fields = kind.rows.fields
        self.name_field = next((name for name, field in fields.items() if field.kind == "name"), None)
        self.parameters = {parameter.name: parameter for parameter in self._parameters()}
        parents = tuple(name for name, field in fields.items() if field.parent)
        kinds = {name: field.kind for name, field in fields.items()}
        self.query_model = query_model(kind.noun.capitalize(), kinds, orderings(fields), parents)

    # -- what a service may override ---------------------------------------------------------------------------

    async def check(
        self, request: Request, new: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> Sequence[FieldError]:
        """Checks a service's own rule before the transaction, and returns what is wrong. When the body is refused
        anyway, `new` has only the members that are valid by themselves."""
        return ()

    async def show(self, request: Request, id: int) -> Response:
        """GET of one member."""
        body = dumps(await self.make(request).get(id))
        tag = etag(body)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if not_modified(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    # -- reading -----------------------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        given = parameters.read_all(query_string.parse_query(request.scope["query_string"]), self.parameters)
        query = self._query_of(given)
        if not_modified(request, None):
            return Response(status_code=304)
        page = await self.make(request).page(query)
        headers: dict[str, str] = {}
        if links := self._links(request, query, page):
            headers["Link"] = ", ".join(links)
        if page.count is not None:
            headers["X-Total-Count"] = str(page.count)
        return json_response(page.items, headers=headers)

    async def query(self, request: Request) -> Response:
        query = validate(self.query_model, await read_json(request))
        repository = self.make(request)
        if "ids" in query.model_fields_set:
            return json_response({"items": await repository.by_ids(query.ids)})
        if query.select == "ids":
            ids, more = await repository.ids(query)
            return json_response({"ids": ids, "has_next": more})
        if isinstance(query, GroupedQuery) and "per" in query.model_fields_set:
            groups = await repository.pages_per_parent(query)
            return json_response({"groups": [{"id": id, **_envelope(page)} for id, page in groups]})
        return json_response(_envelope(await repository.page(query)))

    async def get(self, request: Request) -> Response:
        return await self.show(request, self._id(request))

    # -- writing -----------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        body = require_object(await read_json(request))
        unknown = [field for field in body if field not in self.write.model_fields]
        written, wrong = self._validate(body, [self._unwritable(field) for field in unknown])
        repository = self.make(request)
        if wrong:  # no stored answer is looked for, since an invalid body never has one
            await self._raise_if_wrong(request, wrong, written, None)
        idempotent = IdempotentRequest(request, body, repository.database)

        async def attempt() -> Response:
            require_preconditions(request, None)
            await self._raise_if_wrong(request, [], written, None)

            async def work(transaction: Transaction) -> Response:
                row = await repository.add(transaction, written)
                return _write_response(request, row, 201, {"Location": f"{self.path}{row['id']}/"})

            return await idempotent.transaction(work)

        return await idempotent.answer(attempt)

    async def replace(self, request: Request) -> Response:
        return await self._change(request, require_object(await read_json(request)), merge=False)

    async def merge(self, request: Request) -> Response:
        return await self._change(request, require_object(await read_json(request, MERGE_PATCH)), merge=True)

    async def delete(self, request: Request) -> Response:
        id, repository = self._id(request), self.make(request)
        idempotent = IdempotentRequest(request, None, repository.database)

        async def work(transaction: Transaction) -> Response:
            row = await repository.lock(transaction, id)
            require_preconditions(request, etag(dumps(row)))
            await repository.remove(transaction, id)
            preferred = preferences.preferred_return(request)
            if preferred == "representation":
                return json_response(row, headers=_preference_applied(preferred))
            return Response(status_code=204, headers=_preference_applied(preferred))

        return await idempotent.answer(lambda: idempotent.transaction(work))

    async def _change(self, request: Request, body: dict[str, Any], *, merge: bool) -> Response:
        id, repository = self._id(request), self.make(request)
        idempotent = IdempotentRequest(request, body, repository.database)

        async def attempt() -> Response:
            before = await repository.get(id)
            tag = etag(dumps(before))
            written, wrong = self._validated_change(body, before, merge=merge)
            # A client that has read an older version may repeat its read-only members. It must learn that the version
            # has changed, and not that these members are wrong.
            if all(error.code == "READ_ONLY" for error in wrong):
                require_preconditions(request, tag)
            await self._raise_if_wrong(request, wrong, written, before)

            async def work(transaction: Transaction) -> Response:
                stored = await repository.lock(transaction, id)
                require_preconditions(request, etag(dumps(stored)))
                if stored != before:
                    raise _ChangedSinceError
                row = await repository.change(transaction, id, written)
                return _write_response(request, row, 200, {})

            return await idempotent.transaction(work)

        for _ in range(MAX_ATTEMPTS):
            try:
                return await idempotent.answer(attempt)
            except _ChangedSinceError:
                continue
        raise Contended(CONTENDED)

    # -- bodies ------------------------------------------------------------------------------------------------

    def _validated_change(
        self, body: Mapping[str, Any], stored: RowDict, *, merge: bool
    ) -> tuple[RowDict, list[FieldError]]:
        """Validates a PUT or PATCH on `stored`: returns its writable members, and what is wrong, like `_validate`."""
        current = self._writable_members(stored)
        wrong: list[FieldError] = []
        members: dict[str, Any] = dict(current) if merge else {}
        for field, value in body.items():
            if field in self.write.model_fields:
                members[field] = value
                continue
            # an expanded member that is written back stands for the writable member that it shows
            if (stands_for := self.expanded.get(field)) and stands_for not in body:
                members[stands_for] = current[stands_for]
            if field not in stored or not _repeats(value, stored[field]):
                wrong.append(self._unwritable(field))
        return self._validate(members, wrong)

    def _writable_members(self, stored: RowDict) -> dict[str, Any]:
        """The members of `stored` as a client would write them."""
        expanded = {stands_for: stored[field]["id"] for field, stands_for in self.expanded.items()}
        return {field: expanded.get(field, stored.get(field)) for field in self.write.model_fields}

    def _unwritable(self, field: str) -> FieldError:
        if field in self.public.model_fields:
            return FieldError(field, "READ_ONLY", "campo somente leitura")
        return FieldError(field, "UNKNOWN_FIELD", "campo desconhecido")

    def _validate(self, members: Mapping[str, Any], wrong: list[FieldError]) -> tuple[RowDict, list[FieldError]]:
        """Validates `members` by the write model: returns the valid ones, and all errors, those in `wrong` included."""
        known = {field: value for field, value in members.items() if field in self.write.model_fields}
        try:
            return validate(self.write, known).model_dump(), wrong
        except Invalid as failure:
            bad = {error.field for error in failure.errors}
            return {field: value for field, value in known.items() if field not in bad}, [*failure.errors, *wrong]

    async def _raise_if_wrong(
        self, request: Request, wrong: Sequence[FieldError], new: RowDict, old: Mapping[str, Any] | None
    ) -> None:
        """Raises Invalid for everything that is wrong with a body: with its members, and with the rows that they refer
        to."""
        if len(wrong) > MAX_ERRORS:  # then nothing else is checked
            raise too_many_errors("corpo")
        try:
            found = [*wrong, *await self.check(request, new, old)]
            if wrong:  # otherwise the database reports them when it writes
                found += await self.make(request).missing_references(new)
        except Refusal:
            if not wrong:
                raise
            found = [*wrong]  # the caller can correct these, even when a neighbour is not available
        if len(found) > MAX_ERRORS:
            raise too_many_errors("corpo")
        if found:
            places = {field: n for n, field in enumerate(self.write.model_fields)}
            found.sort(key=lambda error: places.get(error.field, len(places)))
            raise Invalid(f"{found[0].field}: {found[0].message}", errors=found)

    def _id(self, request: Request) -> int:
        """The id in the path. Raises Invalid when it is not an integer, and NotFound for an integer that cannot be an
        id."""
        text: str = request.path_params["id"]
        if ID.fullmatch(text) and (id := int(text)) <= INT8:
            return id
        if parameters.INTEGER.fullmatch(text):
            raise NotFound(f"{self.kind.label} {text} não existe")
        raise invalid("id", "NOT_AN_INTEGER", "deve ser um número inteiro")

    # -- query parameters --------------------------------------------------------------------------------------

    def _parameters(self) -> list[parameters.Parameter]:
        fields, mark = self.kind.rows.fields, cursor("id", None, 100)
        found = [
            parameters.integer("page_size", "Rows in the page.", 1, MAX_SIZE, DEFAULT_SIZE),
            parameters.text("cursor", "Opaque: the page after this place, from a `Link` with rel=next.", 2000, mark),
            parameters.text("before", "Opaque: the page before this place, from a `Link` with rel=prev.", 2000, mark),
            parameters.choice("ordering", "Ascending by a field, or descending with `-`.", orderings(fields), "id"),
            parameters.boolean("count", "Answer `X-Total-Count`: all rows that match."),
            parameters.integers("id", "Bulk read: these ids; absent ones are simply missing.", MAX_BULK_IDS),
        ]
        for name, field in fields.items():
            if field.kind == "integer" and name != "id":
                found.append(parameters.integers(name, f"Rows whose {name} is one of these.", MAX_BULK_IDS))
            if name == self.name_field:
                found.append(parameters.text(name, f"Rows whose {name} is exactly this.", 100, self.example[name]))
                found.append(
                    parameters.text("search", f"Part of {name}, whatever its case and accents.", TEXT_MAX, "joao")
                )
            if field.kind == "instant":
                found.append(parameters.instant(name, f"Rows of exactly this {name}."))
                found.append(parameters.instant(f"{name}__gte", f"Rows with {name} at or after this."))
                found.append(parameters.instant(f"{name}__lte", f"Rows with {name} at or before this."))
        return found

    def _query_of(self, given: Mapping[str, Any]) -> RichQuery:
        """The parameters of a GET as the query that a POST would bring."""
        if "cursor" in given and "before" in given:
            raise invalid("before", "CONTRADICTION", "cursor e before não se combinam")
        filters: dict[str, dict[str, Any]] = {}
        for name, value in given.items():
            field, _, operator = name.partition("__")
            if name == "search":
                filters.setdefault(cast("str", self.name_field), {})["contains"] = value
            elif field in self.kind.rows.fields:
                kind = self.kind.rows.fields[field].kind
                filters.setdefault(field, {})[operator or ("in" if kind == "integer" else "eq")] = value
        size = given.get("page_size", MAX_BULK_IDS if "id" in given else DEFAULT_SIZE)
        ordering: str = given.get("ordering", "id")
        for name in given.keys() & {"cursor", "before"}:  # checked here, so that an error names this parameter
            cursor_position(given[name], name, ordering.removeprefix("-"), self.kind.rows.fields)
        members: dict[str, Any] = {"ordering": ordering, "count": given.get("count", False)}
        members |= {"last": size, "before": given["before"]} if "before" in given else {"first": size}
        if "cursor" in given:
            members["after"] = given["cursor"]
        if filters:
            members["filter"] = filters
        return self.query_model.model_validate(members)

    def _links(self, request: Request, query: RichQuery, page: PageOfRows) -> list[str]:
        """The values of `Link`: the next and the previous page, relative to this URL, with the same parameters."""
        field, step = query.ordering.removeprefix("-"), -1 if query.ordering.startswith("-") else 1
        kept_parameters = [
            (name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "before")
        ]
        prefix = urlencode(kept_parameters, safe=",:") + "&" if kept_parameters else ""

        def at(row: RowDict) -> str:
            return cursor(field, row[field], row["id"])

        links: list[str] = []
        if page.has_next:  # an empty page has no row of its own: its neighbour begins at the row of the cursor
            mark = at(page.items[-1]) if page.items else adjacent_cursor(query.before, -step)
            links.append(f'<{self.path}?{prefix}cursor={mark}>; rel="next"')
        if page.has_previous:
            mark = at(page.items[0]) if page.items else adjacent_cursor(query.after, step)
            links.append(f'<{self.path}?{prefix}before={mark}>; rel="prev"')
        return links


def _write_response(request: Request, row: RowDict, status: int, headers: Mapping[str, str]) -> Response:
    """The answer to a write: the row as it is now, or less when `Prefer` asks for less."""
    body, preferred = dumps(row), preferences.preferred_return(request)
    headers = {**headers, "ETag": etag(body), **_preference_applied(preferred)}
    if preferred == "minimal":
        return Response(status_code=204 if status == 200 else status, headers=headers)
    return Response(body, status, headers, media_type="application/json")


def _preference_applied(preferred: str | None) -> dict[str, str]:
    return {"Preference-Applied": f"return={preferred}"} if preferred else {}


def _envelope(page: PageOfRows) -> dict[str, Any]:
    found: dict[str, Any] = {"items": page.items, "has_next": page.has_next, "has_previous": page.has_previous}
    return found if page.count is None else found | {"count": page.count}


def _repeats(value: Any, stored: Any) -> bool:
    """Whether a read-only member of a body equals the stored value; an instant may be spelled differently."""
    if isinstance(stored, datetime):
        with suppress(ValueError):
            return instants.read(value).equals(stored)
        return False
    return json.dumps(parse(dumps(stored)), sort_keys=True) == json.dumps(value, sort_keys=True)
