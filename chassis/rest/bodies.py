"""The pydantic models of a collection's bodies and answers, made from what it shows and what a client may write."""

from copy import copy
from typing import Annotated, Any, TypeVar, Union

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model

from chassis.query.models import ABSENT, INT64, GroupedQuery, RichQuery
from chassis.web.body import require_object

T = TypeVar("T")
Id64 = Annotated[int, INT64]
Count = Annotated[int, Field(ge=0, description="All rows that match, when the query asks.")]


def _say_one_of(schema: dict[str, Any]) -> None:
    schema["oneOf"] = schema.pop("anyOf")


class OneOf(RootModel[T]):
    """By what the query asked for."""

    model_config = ConfigDict(json_schema_extra=_say_one_of)


def judged_later(value: Any, _validate: Any) -> dict[str, Any]:
    """Takes a body as a JSON object, without judging its members by the type that describes it. What is wrong with them
    depends on the row that is stored, and one answer names every fault."""
    return require_object(value)


def replace_model(noun: str, public: type[BaseModel], write: type[BaseModel]) -> type[BaseModel]:
    """The body of a PUT: the members to write, and those that a client may write back as it has read them."""
    read_only = Field(
        default_factory=ABSENT.default_factory,
        description="Accepted when it repeats what is stored.",
        json_schema_extra={"readOnly": True},
    )
    members: dict[str, Any] = {name: (field.annotation, field) for name, field in write.model_fields.items()}
    for name, field in public.model_fields.items():
        members.setdefault(name, (Annotated[field.annotation, field], read_only))
    return _closed(f"{noun}Replace", write.__doc__, members)


def patch_model(noun: str, replace: type[BaseModel]) -> type[BaseModel]:
    """The body of a PATCH: like that of a PUT, but every member may be absent."""
    members: dict[str, Any] = {}
    for name, field in replace.model_fields.items():
        optional = copy(field)
        optional.default, optional.default_factory = ABSENT.default, ABSENT.default_factory
        members[name] = (field.annotation, optional)
    return _closed(f"{noun}Patch", replace.__doc__, members)


def result_model(noun: str, public: type[BaseModel], query: type[RichQuery]) -> Any:
    """The answer to a richer read: one of several shapes, by what the query asked for."""
    items: dict[str, Any] = {"items": (list[public], ...)}  # pyright: ignore
    page = items | {"has_next": (bool, ...), "has_previous": (bool, ...), "count": (Count, ABSENT)}
    shapes = [
        _closed(f"{noun}Page", "A page.", page),
        _closed(f"{noun}Rows", "A bulk read.", items),
        _closed(f"{noun}Ids", "Ids.", {"ids": (list[Id64], ...), "has_next": (bool, ...)}),
    ]
    if issubclass(query, GroupedQuery):
        group = _closed(f"{noun}Group", "A page of one parent.", {"id": (Id64, ...), **page})
        shapes.append(_closed(f"{noun}Groups", "A page per parent.", {"groups": (list[group], ...)}))  # pyright: ignore
    any_shape: Any = Union[tuple(shapes)]  # noqa: UP007
    return create_model(f"{noun}Result", __base__=OneOf[any_shape], __doc__=OneOf.__doc__)


def _closed(name: str, description: str | None, members: dict[str, Any]) -> type[BaseModel]:
    """The model of an object with exactly these members."""
    return create_model(name, __config__=ConfigDict(extra="forbid"), __doc__=description, **members)
