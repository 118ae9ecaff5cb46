"""Reads requests strictly by the typed signatures of their endpoints.

FastAPI takes the last of a parameter that is repeated, drops parameters and members that it does not know, and reads
` 1`, `1_0`, `+5` and `5.0` as integers. Here all of that is refused, and the refusal names every field at fault.

There are two route classes, and both read the same signature with the same answers. `StrictRoute` checks the texts, and
FastAPI does the rest. `FastRoute` reads the few kinds of signature that our collections have, at a tenth of the cost.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import iscoroutinefunction
from typing import Annotated, Any, NamedTuple, cast

from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis import instants, scalars
from chassis.errors import FieldError, Invalid, InvalidValue
from chassis.request.headers import combined
from chassis.web.body import JSON, MERGE_PATCH, parse, read_body, require_few_members, require_media_type
from chassis.web.query_string import is_text, parse_query
from chassis.web.validation import field_errors, refuse, refuse_fields

INTEGER = re.compile(r"-?[0-9]+")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _spelled(pattern: re.Pattern[str], code: str, message: str) -> Callable[[str], object]:
    def check(text: str) -> None:
        if not pattern.fullmatch(text):
            raise InvalidValue(code, message)

    return check


CHECKS: dict[str, Callable[[str], object]] = {
    "integer": _spelled(INTEGER, "NOT_AN_INTEGER", "deve ser um número inteiro"),
    "number": _spelled(NUMBER, "INVALID", "deve ser um número"),
    "boolean": _spelled(re.compile("true|false"), "NOT_A_BOOLEAN", "deve ser true ou false"),
    "date": scalars.read_date,
    "date-time": instants.read,
}
"""How the text of a parameter must be spelled, by the `format` or `type` of its JSON Schema. pydantic also takes other
spellings, such as `yes` for true, or seconds since 1970 for a date."""


NOT_GIVEN: Any = object()
"""Stands for the body of a request that has none, or whose endpoint declares none."""


def header(name: str, description: str, example: str, **schema: Any) -> Any:
    """A member of a model of headers: a header that may be absent."""
    extra: dict[str, Any] = {"examples": [example], **schema}
    return Field(None, alias=name, description=description, json_schema_extra=extra)


class Declared(NamedTuple):
    """A parameter that a signature declares: the check of its text, and whether it may be repeated."""

    check: Callable[[str], object]
    repeated: bool


class Given(NamedTuple):
    """The texts that a request gives for declared parameters; several for one that may be repeated."""

    path: Mapping[str, Any]
    query: Mapping[str, Any]
    headers: Mapping[str, Any]

    def refuse(self, found: Iterable[FieldError]) -> Invalid:
        """The refusal that names all of `found`, in the order of the request."""
        places = {name: place for place, name in enumerate([*self.path, *self.query])}
        return refuse(sorted(found, key=lambda one: places.get(one.field, len(places))))


class Inputs:
    """What the signature of a route's endpoint takes, with all its dependencies."""

    def __init__(self, route: APIRoute) -> None:
        tree = list(_tree(route.dependant))
        path = [field for one in tree for field in one.path_params]
        query = [field for one in tree for field in one.query_params]
        taken = [field for one in tree for field in one.header_params]
        self._readers = _readers(path), _readers(query), _readers(taken)
        self._path, self._query, headers = _declared(path), _declared(query), _declared(taken)
        self._headers = [(name, name.replace("_", "-").lower().encode(), one.check) for name, one in headers.items()]
        self._body = route.body_field and _adapter(route.body_field)
        self._body_required = route.body_field is not None and route.body_field.field_info.is_required()

    async def read_body(self, request: Request) -> Any:
        """The body as its declared type, or NOT_GIVEN. Raises UnsupportedMedia, Malformed, Invalid, or TooLarge (from
        the middleware)."""
        if self._body is None or (not self._body_required and "content-type" not in request.headers):
            return NOT_GIVEN
        require_media_type(request, MERGE_PATCH if request.method == "PATCH" else JSON)
        value = parse(await read_body(request))
        if isinstance(value, dict):
            require_few_members(cast("dict[str, Any]", value))
        try:
            return _validated(self._body, value)
        except ValidationError as failure:
            raise refuse_fields(failure) from None

    def read_texts(self, request: Request) -> Given:
        """The texts of the parameters. Raises Invalid when any of them is not spelled as its type demands, and then
        names everything that is wrong with the parameters.

        An endpoint that declares no query parameters ignores the query string.
        """
        wrong: list[FieldError] = []
        query: dict[str, Any] = {}
        if self._query:
            for name, text in parse_query(request.scope["query_string"]):
                declared = self._query.get(name)
                if declared is None:
                    shown = name.encode(errors="replace").decode()
                    query[shown] = None
                    wrong.append(FieldError(shown, "UNKNOWN_PARAMETER", "parâmetro desconhecido"))
                elif name in query and not declared.repeated:
                    wrong.append(FieldError(name, "REPEATED_PARAMETER", "parâmetro repetido"))
                else:
                    query[name] = [*query.get(name, ()), text] if declared.repeated else text
                    _check(name, text, declared.check, wrong)
        path: dict[str, str] = request.scope["path_params"]
        for name, declared in self._path.items():
            _check(name, path[name], declared.check, wrong)
        headers: dict[str, str] = {}
        if self._headers:
            lines = request.scope.get("fields") or combined(request.scope["headers"])
            for name, line, check in self._headers:
                if line in lines:
                    headers[name] = lines[line].decode("latin-1")
                    _check(name, headers[name], check, wrong)
        given = Given(path, query, headers)
        if wrong:
            bad = {one.field for one in wrong}
            known = {name: text for name, text in query.items() if name in self._query}
            errors: list[Any] = []
            for readers, texts in zip(self._readers, (path, known, headers), strict=True):
                values_of(readers, texts, errors)
            raise given.refuse([*wrong, *(one for one in field_errors(errors) if one.field not in bad)])
        return given


class Reader(NamedTuple):
    """Reads one argument of an endpoint: a parameter with a `name` of its own, or a model of several."""

    field: ModelField
    name: str | None
    validate: Callable[[Any], Any]


def _readers(fields: Iterable[ModelField]) -> list[Reader]:
    return [
        Reader(field, None if _is_model(field) else field.alias, _adapter(field).validator.validate_python)
        for field in fields
    ]


def values_of(readers: Iterable[Reader], texts: Mapping[str, Any], errors: list[Any]) -> dict[str, Any]:
    """The arguments that `readers` read from `texts`. Appends pydantic's errors to `errors`."""
    values: dict[str, Any] = {}
    for field, name, validate in readers:
        if name is None or name in texts:
            try:
                values[field.name] = validate(texts if name is None else texts[name])
            except ValidationError as failure:
                place = () if name is None else (name,)
                errors += [{**one, "loc": (*place, *one["loc"])} for one in failure.errors(include_url=False)]
        elif field.field_info.is_required():
            errors.append({"type": "missing", "loc": (name,), "input": None})
        else:
            values[field.name] = field.default
    return values


class ReadRequest(Request):
    """A request whose JSON body has been read strictly."""

    content: Any = NOT_GIVEN

    async def body(self) -> bytes:
        return await super().body() if self.content is NOT_GIVEN else b"{}"

    async def json(self) -> Any:
        return parse(await super().body()) if self.content is NOT_GIVEN else self.content


class StrictRoute(APIRoute):
    """FastAPI's own route, for any signature: what FastAPI would read too kindly is refused before."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        solve, inputs = super().get_route_handler(), Inputs(self)
        embedded = all(self.body_field is not field for one in _tree(self.dependant) for field in one.body_params)

        async def handle(request: Request) -> Response:
            lines = combined(request.scope["headers"])
            read = ReadRequest({**request.scope, "headers": list(lines.items())}, request.receive)
            body = await inputs.read_body(request)
            read.content = dict(body) if embedded and body is not NOT_GIVEN else body
            given = inputs.read_texts(request)
            try:
                return await solve(read)
            except RequestValidationError as failure:
                errors = [{**error, "loc": error["loc"][1:]} for error in failure.errors()]
                raise given.refuse(field_errors(errors)) from None

        return handle


class FastRoute(APIRoute):
    """A route that reads its signature without FastAPI's solving. Its endpoint returns the response.

    It knows parameters of the path, the query and the headers, one body, the request, and dependencies that are
    coroutine functions. Any other signature fails when the route is made.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        inputs, solve = Inputs(self), _solver(self.dependant)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            body = await inputs.read_body(request)
            given = inputs.read_texts(request)
            errors: list[Any] = []
            values = await solve(request, body, given, errors)
            if errors:
                raise given.refuse(field_errors(errors))
            response: Response = await endpoint(**values)
            await response(scope, receive, send)

        self.app = answer


def _solver(dependant: Dependant) -> Callable[..., Any]:
    """The function that makes the arguments of `dependant`'s function, and appends pydantic's errors to `errors`."""
    assert iscoroutinefunction(dependant.call), f"{dependant.call} is no coroutine function"
    unknown = (dependant.cookie_params, dependant.background_tasks_param_name, dependant.response_param_name)
    assert not any(unknown), f"{dependant.call} takes what FastRoute does not know"
    assert len(dependant.body_params) < 2, f"{dependant.call} has several bodies"
    needed = [(one.name, one.call, _solver(one)) for one in dependant.dependencies]
    path, query, headers = map(_readers, (dependant.path_params, dependant.query_params, dependant.header_params))
    takes_body, takes_request = [one.name for one in dependant.body_params], dependant.request_param_name

    async def solve(request: Request, body: Any, given: Given, errors: list[Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, call, arguments in needed:
            before = len(errors)
            found = await arguments(request, body, given, errors)
            if len(errors) == before and call:
                values[name or ""] = await call(**found)
        if path:
            values |= values_of(path, given.path, errors)
        if query:
            values |= values_of(query, given.query, errors)
        if headers:
            values |= values_of(headers, given.headers, errors)
        for name in takes_body:
            values[name] = body
        if takes_request:
            values[takes_request] = request
        return values

    return solve


def _tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _tree(one)


def _is_model(field: ModelField) -> bool:
    annotation = field.field_info.annotation
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _adapter(field: ModelField) -> TypeAdapter[Any]:
    info = field.field_info
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation  # pyright: ignore
    return TypeAdapter(kind)


def _validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    """`value` judged as JSON: `"5"` and `true` are no integers, and members that the type does not name are wrong."""
    try:
        return adapter.validate_json(to_json(value), strict=True, extra="forbid")
    except (PydanticSerializationError, ValidationError) as failure:
        # It has lone surrogates, or more levels than pydantic's own parser takes.
        if isinstance(failure, ValidationError) and failure.errors()[0]["type"] != "json_invalid":
            raise
        return adapter.validate_python(value, strict=True, extra="forbid")


def _declared(fields: Iterable[ModelField]) -> dict[str, Declared]:
    """The parameters that `fields` declare, by their names; a model declares one for each of its members."""
    found: dict[str, Declared] = {}
    for field in fields:
        schema = _adapter(field).json_schema()
        members = schema["properties"] if _is_model(field) else {field.alias: schema}
        for name, member in members.items():
            kinds = set(_kinds(member, schema.get("$defs", {}))) - {"null"}
            check = CHECKS.get(kinds.pop()) if len(kinds) == 1 else None
            repeated = member.get("type") == "array" and member.get("explode", True)
            found[name] = Declared(check or str, repeated)
    return found


def _kinds(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    """The formats or types of the values that `schema` allows."""
    if "$ref" in schema:
        yield from _kinds(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "items" in schema:
        yield from _kinds(schema["items"], definitions) if schema.get("explode", True) else ["array"]
    elif "anyOf" in schema:
        for one in schema["anyOf"]:
            yield from _kinds(one, definitions)
    else:
        kind, form = schema.get("type", "any"), schema.get("format")
        yield form if form in CHECKS else kind


def _check(name: str, text: str, check: Callable[[str], object], wrong: list[FieldError]) -> None:
    try:
        if not is_text(text):
            raise InvalidValue("INVALID_CHARACTER", "não é UTF-8 válido")
        check(text)
        if "\0" in text:
            raise InvalidValue("INVALID_CHARACTER", "contém caracteres não permitidos")
    except InvalidValue as failure:
        wrong.append(FieldError(name, failure.code, failure.message))
