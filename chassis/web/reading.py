"""Reads requests strictly by the typed signatures of their endpoints.

FastAPI takes the last of a parameter that is repeated, drops parameters and members that it does not know, and reads
` 1`, `1_0`, `+5` and `5.0` as integers. Here all of that is refused, and the refusal names every field at fault.

There are two route classes, and both read the same signature with the same answers. `StrictRoute` checks the texts, and
FastAPI does the rest. `FastRoute` reads the few kinds of signature that our collections have, at a tenth of the cost.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Annotated, Any, NamedTuple, TypeGuard, cast

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
from chassis.errors import FieldError, InvalidValue
from chassis.request.headers import combined
from chassis.web.body import JSON, MERGE_PATCH, parse, read_body, require_few_members, require_media_type
from chassis.web.query_string import is_text, parse_query
from chassis.web.validation import MAX_ERRORS, field_errors, refuse, refuse_fields, too_many_errors

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


class Source:
    """A part of the request, and the parameters that a signature takes from it."""

    def __init__(self, fields: Sequence[ModelField]) -> None:
        self.declared = {name: one for field in fields for name, one in _declared(field).items()}
        self.arguments = [
            (
                field,
                None if is_model(field.field_info.annotation) else field.alias,
                _adapter(field).validator.validate_python,
            )
            for field in fields
        ]

    def read(
        self,
        given: Iterable[tuple[str, str]],
        values: dict[ModelField, Any],
        wrong: list[FieldError],
        errors: list[Any],
    ) -> None:
        """Reads the values of the parameters from their texts. Appends to `wrong` the texts that are not spelled as
        their types demand, and to `errors` those of pydantic."""
        texts: dict[str, Any] = {}
        for name, text in given:
            declared = self.declared.get(name)
            if declared is None:
                shown = name.encode(errors="replace").decode()
                wrong.append(FieldError(shown, "UNKNOWN_PARAMETER", "parâmetro desconhecido"))
            elif name in texts and not declared.repeated:
                wrong.append(FieldError(name, "REPEATED_PARAMETER", "parâmetro repetido"))
            else:
                if declared.repeated:
                    texts.setdefault(name, []).append(text)
                else:
                    texts[name] = text
                try:
                    _require_text(text)
                    declared.check(text)
                except InvalidValue as failure:
                    wrong.append(FieldError(name, failure.code, failure.message))
        for field, name, validate in self.arguments:
            if name is None or name in texts:
                try:
                    values[field] = validate(texts if name is None else texts[name])
                except ValidationError as failure:
                    place = () if name is None else (name,)
                    errors += [{**one, "loc": (*place, *one["loc"])} for one in failure.errors(include_url=False)]
            elif field.field_info.is_required():
                errors.append({"type": "missing", "loc": (name,), "input": None})
            else:
                values[field] = field.default


class Inputs:
    """What the signature of a route's endpoint takes, with all its dependencies."""

    def __init__(self, route: APIRoute) -> None:
        tree = list(_tree(route.dependant))
        self._path = Source([field for one in tree for field in one.path_params])
        self._query = Source([field for one in tree for field in one.query_params])
        self._headers = Source([field for one in tree for field in one.header_params])
        self._lines = [(name.replace("_", "-").lower().encode(), name) for name in self._headers.declared]
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

    def read_parameters(self, request: Request) -> dict[ModelField, Any]:
        """The values of the parameters. Raises Invalid, which names each one at fault in the order of the request.

        An endpoint that declares no query parameters ignores the query string.
        """
        values: dict[ModelField, Any] = {}
        wrong: list[FieldError] = []
        errors: list[Any] = []
        query = parse_query(request.scope["query_string"]) if self._query.declared else []
        lines = request.scope.get("fields") or combined(request.scope["headers"]) if self._lines else {}
        headers = [(name, lines[line].decode("latin-1")) for line, name in self._lines if line in lines]
        self._path.read(request.path_params.items(), values, wrong, errors)
        self._query.read(query, values, wrong, errors)
        self._headers.read(headers, values, wrong, errors)
        if len(wrong) + len(errors) > MAX_ERRORS:
            raise too_many_errors("endereço")
        if wrong or errors:
            misspelled = {one.field for one in wrong}
            wrong += [one for one in field_errors(errors) if one.field.partition(".")[0] not in misspelled]
            names = [*request.path_params, *(name for name, _ in query)]
            places = {name: -place for place, name in enumerate(reversed(names), 1)}
            raise refuse(sorted(wrong, key=lambda one: places.get(one.field, 0)))
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
            inputs.read_parameters(request)
            try:
                return await solve(read)
            except RequestValidationError as failure:  # of what only FastAPI reads, such as cookies
                raise refuse(field_errors({**one, "loc": one["loc"][1:]} for one in failure.errors())) from None

        return handle


class FastRoute(APIRoute):
    """A route that reads its signature without FastAPI's solving. Its endpoint returns the response.

    It knows parameters of the path, the query and the headers, one body, the request, and dependencies that are
    coroutine functions. Any other signature fails when the route is made.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        inputs, arguments = Inputs(self), _solver(self.dependant)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            body = await inputs.read_body(request)
            response: Response = await endpoint(**await arguments(request, body, inputs.read_parameters(request)))
            await response(scope, receive, send)

        self.app = answer


def _solver(dependant: Dependant) -> Callable[[Request, Any, dict[ModelField, Any]], Awaitable[dict[str, Any]]]:
    """The function that makes the arguments of `dependant`'s function from the body and from the parameters' values."""
    assert iscoroutinefunction(dependant.call), f"{dependant.call} is no coroutine function"
    unknown = (dependant.cookie_params, dependant.background_tasks_param_name, dependant.response_param_name)
    assert not any(unknown), f"{dependant.call} takes what FastRoute does not know"
    assert len(dependant.body_params) < 2, f"{dependant.call} has several bodies"
    needed = [(one.name or "", cast("Any", one.call), _solver(one)) for one in dependant.dependencies]
    parameters = [*dependant.path_params, *dependant.query_params, *dependant.header_params]
    takes_body, takes_request = [one.name for one in dependant.body_params], dependant.request_param_name

    async def solve(request: Request, body: Any, values: dict[ModelField, Any]) -> dict[str, Any]:
        arguments: dict[str, Any] = {field.name: values[field] for field in parameters}
        for name, call, arguments_of in needed:
            arguments[name] = await call(**await arguments_of(request, body, values))
        for name in takes_body:
            arguments[name] = body
        if takes_request:
            arguments[takes_request] = request
        return arguments

    return solve


def _tree(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from _tree(one)


def is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _adapter(field: ModelField) -> TypeAdapter[Any]:
    info = field.field_info
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation  # pyright: ignore
    return TypeAdapter(kind)


def _validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    """`value` judged as JSON: `"5"` and `true` are no integers, and members that the type does not name are wrong."""
    try:
        return adapter.validate_json(to_json(value), strict=True, extra="forbid")
    except PydanticSerializationError:
        pass  # it has lone surrogates
    except ValidationError as failure:
        if failure.error_count() > 1 or failure.errors()[0]["type"] != "json_invalid":
            raise  # otherwise it has more levels than pydantic's own parser takes
    return adapter.validate_python(value, strict=True, extra="forbid")


def _declared(field: ModelField) -> dict[str, Declared]:
    """The parameters that a field of a signature declares, by their names: a model has one for each of its members."""
    schema = _adapter(field).json_schema()
    found: dict[str, Declared] = {}
    members = schema["properties"] if is_model(field.field_info.annotation) else {field.alias: schema}
    for name, member in members.items():
        alternatives = list(_alternatives(member, schema.get("$defs", {})))
        lists = [one["items"] for one in alternatives if one.get("explode", "items" in one)]
        kinds = {one.get("format") if one.get("format") in CHECKS else one.get("type") for one in lists or alternatives}
        kinds -= {"string"} if kinds & {"number"} else set()  # a decimal may also be written as a string in JSON
        found[name] = Declared(CHECKS.get(str(kinds.pop()), str) if len(kinds) == 1 else str, bool(lists))
    return found


def _alternatives(schema: dict[str, Any], definitions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of which a value must satisfy one, without that of null."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", [schema]):
        if one is schema and one.get("type") != "null":
            yield one
        elif one is not schema:
            yield from _alternatives(one, definitions)


def _require_text(text: str) -> None:
    if not is_text(text):
        raise InvalidValue("INVALID_CHARACTER", "não é UTF-8 válido")
    if "\0" in text:
        raise InvalidValue("INVALID_CHARACTER", "contém caracteres não permitidos")
