"""The REST dialect of this system: every method of a collection and of its members, for any repository.

A service declares its repository and its body model, and `Collection(...)` answers by the common contract: strict
bodies and parameters, keyset pages with `Link` (RFC 8288), conditional requests (RFC 9110), JSON merge patch (RFC
7396), `Idempotency-Key`, `Prefer` (RFC 7240), and a richer read by POST for programs.

The endpoints are methods with typed signatures. `chassis.rest.routes` puts the types of one collection into them, and
FastAPI describes them. A body of a write is taken as a JSON object, since only the stored row tells what is wrong with
it.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import Header
from pydantic import AfterValidator, BaseModel
from starlette.requests import Request
from starlette.responses import Response

from chassis import instants
from chassis.db.columns import RowDict
from chassis.db.connection import CONTENDED
from chassis.db.database import Database, Transaction
from chassis.db.filters import cursor_position, orderings
from chassis.db.idempotency import IdempotentRequest
from chassis.db.pages import PageOfRows
from chassis.db.repository import Repository
from chassis.errors import Contended, FieldError, Invalid, InvalidValue, NotFound, Refusal, invalid
from chassis.query.models import GroupedQuery, RichQuery, query_model
from chassis.query.pagination import DEFAULT_SIZE, INT8, adjacent_cursor, cursor
from chassis.request.idempotency_key import valid_key
from chassis.rest.bodies import patch_model, replace_model, result_model
from chassis.rest.parameters import MAX_BULK_IDS, ListParameters, parameters_of
from chassis.scalars import to_json
from chassis.web import preferences
from chassis.web.body import parse
from chassis.web.conditional import Conditions, etag
from chassis.web.reading import INTEGER, header
from chassis.web.validation import MAX_ERRORS, too_many_errors, validate
from chassis.web.versions import Deprecation

ID = re.compile("[1-9][0-9]{0,18}")
"""The only spelling of an id in a path, so that each row has one address."""
MAX_ATTEMPTS = 3
"""How often a change is tried when the row changes in between."""


class _ChangedSinceError(Exception):
    """The row has changed since the change was checked against it, so it must be checked again."""


def member_id(label: str) -> Callable[[str], int]:
    """Makes the function that reads the id in a path. It raises NotFound for an integer that cannot be an id, calling
    the row by its `label`."""

    def read(text: str) -> int:
        if ID.fullmatch(text) and (id := int(text)) <= INT8:
            return id
        if INTEGER.fullmatch(text):
            raise NotFound(f"{label} {text} não existe")
        raise InvalidValue("NOT_AN_INTEGER", "deve ser um número inteiro")

    return read


def dumps(value: Any) -> bytes:
    """JSON as this system writes it: UTF-8, instants in UTC with `Z`."""
    return orjson.dumps(value, to_json, orjson.OPT_UTC_Z)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(value), status, headers, media_type="application/json")


class WriteHeaders(Conditions):
    """The headers of a write."""

    idempotency_key: Annotated[str, AfterValidator(valid_key)] = header(
        "Idempotency-Key",
        "A retry under the same key gets the first successful answer, for 24 h.",
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        pattern="^[!-~]{1,255}$",
    )
    prefer: str = header(
        "Prefer",
        "`return=representation` answers with the row, `return=minimal` without it (RFC 7240). By default a `DELETE` "
        "is minimal, and other writes are not. `read-after` asks for the position of the write among the changes.",
        "return=representation, read-after",
    )

    @property
    def preferred(self) -> str | None:
        """What of the row the client wants in the answer."""
        return preferences.preferred_return(self.prefer or "")

    async def with_position(self, response: Response, database: Database) -> Response:
        """`response`, which answers a write that is done, with the position of the write if the client wants it."""
        if self.prefer and preferences.prefers_position(self.prefer) and (position := await database.position()):
            response.headers["Read-After"] = position
        return response


Check = Callable[[Mapping[str, Any], Mapping[str, Any] | None], Awaitable[Sequence[FieldError]]]
"""A service's own rule for what is written: it gets the new members and the stored row, and returns what is wrong. When
the body is refused anyway, the new members are only those that are valid by themselves."""


async def no_check() -> Check:
    """The rule of a collection that has none of its own."""

    async def check(_new: Mapping[str, Any], _old: Mapping[str, Any] | None) -> Sequence[FieldError]:
        return ()

    return check


class View(NamedTuple):
    """A service's own GET of one member: a FastAPI endpoint, and the model of its answer."""

    endpoint: Callable[..., Awaitable[Response]]
    model: type[BaseModel]


class Collection:
    """One resource over HTTP.

    `kind` is its repository, `public` describes a row, and `write` what may be written. `expanded` maps read-only
    members to the writable ones that they show (`{"categoria": "categoria_id"}`), so that a client can write back what
    it has read. A service with a rule of its own gives a dependency that returns its `check`, or a `view`. A collection
    that will be taken away is `deprecated`.
    """

    def __init__(
        self,
        path: str,
        kind: type[Repository],
        *,
        public: type[BaseModel],
        write: type[BaseModel],
        expanded: Mapping[str, str] | None = None,
        check: Callable[..., Awaitable[Check]] = no_check,
        view: View | None = None,
        deprecated: Deprecation | None = None,
    ) -> None:
        self.path, self.kind, self.public, self.write = path, kind, public, write
        self.expanded, self.check, self.view, self.deprecated = expanded or {}, check, view, deprecated
        fields, self.name = kind.rows.fields, kind.noun.capitalize()
        self.searched = [name for name, field in fields.items() if field.searched]
        self.parameters = parameters_of(self.name, fields)
        self.query_model = query_model(self.name, fields, orderings(fields))
        self.replace_model = replace_model(self.name, public, write)
        self.patch_model = patch_model(self.name, self.replace_model)
        self.result_model = result_model(self.name, public, self.query_model)

    # -- reading -----------------------------------------------------------------------------------------------

    async def page(
        self,
        parameters: ListParameters,
        rows: Repository,
        conditions: Annotated[Conditions, Header()],
        request: Request,
    ) -> Response:
        query = self._query_of(parameters)
        if conditions.not_modified(None):
            return Response(status_code=304)
        page = await rows.page(query)
        headers: dict[str, str] = {}
        if links := self._links(request, query, page):
            headers["Link"] = ", ".join(links)
        if page.count is not None:
            headers["X-Total-Count"] = str(page.count)
        return json_response(page.items, headers=headers)

    async def query(self, query: RichQuery, rows: Repository) -> Response:
        if "ids" in query.model_fields_set:
            return json_response({"items": await rows.by_ids(query.ids)})
        if query.select == "ids":
            ids, more = await rows.ids(query)
            return json_response({"ids": ids, "has_next": more})
        if isinstance(query, GroupedQuery) and "per" in query.model_fields_set:
            groups = await rows.pages_per_parent(query)
            return json_response({"groups": [{"id": id, **_envelope(page)} for id, page in groups]})
        return json_response(_envelope(await rows.page(query)))

    async def get(self, id: int, rows: Repository, conditions: Annotated[Conditions, Header()]) -> Response:
        body = dumps(await rows.get(id))
        tag = etag(body)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if conditions.not_modified(tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    # -- writing -----------------------------------------------------------------------------------------------

    async def create(
        self,
        body: dict[str, Any],
        rows: Repository,
        check: Check,
        headers: Annotated[WriteHeaders, Header()],
        request: Request,
    ) -> Response:
        unknown = [field for field in body if field not in self.write.model_fields]
        written, wrong = self._validate(body, [self._unwritable(field) for field in unknown])
        if wrong:  # no stored answer is looked for, since an invalid body never has one
            await self._raise_if_wrong(rows, check, wrong, written, None)
        idempotent = IdempotentRequest(request, headers.idempotency_key, body, rows.database)

        async def attempt() -> Response:
            headers.require(None)
            await self._raise_if_wrong(rows, check, [], written, None)

            async def work(transaction: Transaction) -> Response:
                row = await rows.add(transaction, written)
                return _write_response(headers, row, 201, {"Location": f"{request.scope['path']}{row['id']}/"})

            return await idempotent.transaction(work)

        return await headers.with_position(await idempotent.answer(attempt), rows.database)

    async def replace(
        self,
        id: int,
        body: dict[str, Any],
        rows: Repository,
        check: Check,
        headers: Annotated[WriteHeaders, Header()],
        request: Request,
    ) -> Response:
        # PUT, and PATCH, whose body is merged with what is stored
        idempotent = IdempotentRequest(request, headers.idempotency_key, body, rows.database)

        async def attempt() -> Response:
            before = await rows.get(id)
            tag = etag(dumps(before))
            written, wrong = self._validated_change(body, before, merge=request.method == "PATCH")
            # A client that has read an older version may repeat its read-only members. It must learn that the version
            # has changed, and not that these members are wrong.
            if all(error.code == "READ_ONLY" for error in wrong):
                headers.require(tag)
            await self._raise_if_wrong(rows, check, wrong, written, before)

            async def work(transaction: Transaction) -> Response:
                stored = await rows.lock(transaction, id)
                headers.require(etag(dumps(stored)))
                if stored != before:
                    raise _ChangedSinceError
                row = await rows.change(transaction, id, written)
                return _write_response(headers, row, 200, {})

            return await idempotent.transaction(work)

        for _ in range(MAX_ATTEMPTS):
            try:
                return await headers.with_position(await idempotent.answer(attempt), rows.database)
            except _ChangedSinceError:
                continue
        raise Contended(CONTENDED)

    async def delete(
        self, id: int, rows: Repository, headers: Annotated[WriteHeaders, Header()], request: Request
    ) -> Response:
        idempotent = IdempotentRequest(request, headers.idempotency_key, None, rows.database)

        async def work(transaction: Transaction) -> Response:
            row = await rows.lock(transaction, id)
            headers.require(etag(dumps(row)))
            await rows.remove(transaction, id)
            if headers.preferred == "representation":
                return json_response(row, headers=_preference_applied(headers.preferred))
            return Response(status_code=204, headers=_preference_applied(headers.preferred))

        response = await idempotent.answer(lambda: idempotent.transaction(work))
        return await headers.with_position(response, rows.database)

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
        self,
        rows: Repository,
        check: Check,
        wrong: Sequence[FieldError],
        new: RowDict,
        old: Mapping[str, Any] | None,
    ) -> None:
        """Raises Invalid for everything that is wrong with a body: with its members, and with the rows that they refer
        to."""
        if len(wrong) > MAX_ERRORS:  # then nothing else is checked
            raise too_many_errors("corpo")
        try:
            found = [*wrong, *await check(new, old)]
            if wrong:  # otherwise the database reports them when it writes
                found += await rows.missing_references(new)
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

    # -- query parameters --------------------------------------------------------------------------------------

    def _query_of(self, parameters: ListParameters) -> RichQuery:
        """The parameters of a GET as the query that a POST would bring."""
        given: dict[str, Any] = {name: getattr(parameters, name) for name in parameters.model_fields_set}
        if "cursor" in given and "before" in given:
            raise invalid("before", "CONTRADICTION", "cursor e before não se combinam")
        filters: dict[str, Any] = {}
        for name, value in given.items():
            field, _, operator = name.partition("__")
            if name == "search":
                filters["or"] = [{searched: {"contains": value}} for searched in self.searched]
            elif field in self.kind.rows.fields:
                filters.setdefault(field, {})[operator or ("in" if isinstance(value, list) else "eq")] = value
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
        path: str = request.scope["path"]

        def at(row: RowDict) -> str:
            return cursor(field, row[field], row["id"])

        links: list[str] = []
        if page.has_next:  # an empty page has no row of its own: its neighbour begins at the row of the cursor
            mark = at(page.items[-1]) if page.items else adjacent_cursor(query.before, -step)
            links.append(f'<{path}?{prefix}cursor={mark}>; rel="next"')
        if page.has_previous:
            mark = at(page.items[0]) if page.items else adjacent_cursor(query.after, step)
            links.append(f'<{path}?{prefix}before={mark}>; rel="prev"')
        return links


def _write_response(given: WriteHeaders, row: RowDict, status: int, headers: Mapping[str, str]) -> Response:
    """The answer to a write: the row as it is now, or less when `Prefer` asks for less."""
    body, preferred = dumps(row), given.preferred
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
