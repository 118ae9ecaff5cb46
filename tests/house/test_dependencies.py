"""What our code uses of some libraries without their documentation promising it: uvicorn, Starlette, FastAPI,
Strawberry, graphql-core and SQLAlchemy. An upgrade that changes one of these members fails here, by the member's name.

`dependencies.toml` has a fingerprint of each member: of its source, or, when it is an attribute, of the lines that
mention it. When one differs, read what has changed, look at our code that uses the member, and then put the new
fingerprint there. The tests at the end find members that are used and not listed.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, cast

import pytest

from deploy.topology import PROCESSES

ROOT = Path(__file__).parents[2]
LISTED: dict[str, str] = tomllib.loads((Path(__file__).parent / "dependencies.toml").read_text())
LIBRARIES = ("uvicorn", "starlette", "fastapi", "strawberry", "graphql", "sqlalchemy")
DOCUMENTED = re.compile(
    r"uvicorn|fastapi(\.(routing|exceptions|openapi\.(docs|utils)))?|strawberry(\.schema\.config)?|graphql|"
    r"starlette\.(convertors|datastructures|exceptions|middleware\.cors|requests|responses|routing|staticfiles|types)|"
    r"sqlalchemy(\.(dialects\.postgresql|orm|types))?"
)
"""Modules whose names the libraries' documentation describes."""
CYCLE = "uvicorn.protocols.http.httptools_impl.RequestResponseCycle"
FLOW = "uvicorn.protocols.http.flow_control.FlowControl"
TYPE_OF = {"cycle": CYCLE, "_cycle": CYCLE, "_running_cycle": CYCLE, "newest": CYCLE, "flow": FLOW}
"""The classes of objects of uvicorn that our code holds under these names."""
ALSO = {
    "starlette.routing.Router.routes",
    "strawberry.schema.schema.Schema._schema",
    "strawberry.types.info.Info._raw_info",
    "strawberry.types.base.StrawberryObjectDefinition.fields",
    "strawberry.types.base.StrawberryObjectDefinition.origin",
    "strawberry.types.base.StrawberryObjectDefinition.type_var_map",
    "strawberry.types.field.StrawberryField.arguments",
    "strawberry.types.field.StrawberryField.base_resolver",
    "strawberry.types.field.StrawberryField.extensions",
    "strawberry.types.field.StrawberryField.is_basic_field",
    "strawberry.types.field.StrawberryField.type",
    "strawberry.types.field.StrawberryField.type_annotation",
    "strawberry.types.field.StrawberryField.python_name",
    "sqlalchemy.sql.elements.ClauseElement._compile_w_cache",
}
"""Members that are used in ways that the tests below do not find."""
PACKAGES = ("chassis", "deploy", *(process.name for process in PROCESSES))
NOT_OVERRIDDEN = {"__module__", "__doc__", "__slots__", "__annotations__", "__dict__", "__weakref__", "__qualname__"}


def found(path: str) -> tuple[Any, list[str]]:
    """The module or class that is found by the longest beginning of `path`, and the names that follow it."""
    names = path.split(".")
    for n in range(len(names), 0, -1):
        try:
            member: Any = import_module(".".join(names[:n]))
        except ImportError:
            continue
        rest = names[n:]
        while rest and inspect.isclass(inner := members_of(member).get(rest[0])):
            member, rest = inner, rest[1:]
        return member, rest
    raise LookupError(path)


def source(path: str) -> str:
    """The source of a member: all of a class or a function, the lines that mention an attribute or a variable."""
    member, rest = found(path)
    if rest and inspect.isfunction(function := inspect.unwrap(_plain(members_of(member).get(rest[0])))):
        member, rest = function, rest[1:]
    text = text_of(member)
    for name in rest:
        text = "\n".join(line.strip() for line in text.split("\n") if re.search(rf"\b{name}\b", line))
    return text


def members_of(holder: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", vars(holder))


@cache
def text_of(member: Any) -> str:
    return textwrap.dedent(inspect.getsource(member))


def _plain(member: Any) -> Any:
    """The function in a property or a class method."""
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def fingerprint(path: str) -> str:
    text = source(path)
    assert text.strip(), f"{path} does not exist"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize("member", LISTED)
def test_an_undocumented_member_is_still_as_our_code_knows_it(member: str) -> None:
    now = fingerprint(member)

    assert now == LISTED[member], f'{member} has changed: see the beginning of this file; it is "{now}" now'


def require_listed(used: set[str]) -> None:
    lines = [f'"{path}" = "{fingerprint(path)}"' for path in sorted(used - set(LISTED))]
    assert not lines, "\n".join(["these are used, and not listed in dependencies.toml:", *lines])


# -- what is used --------------------------------------------------------------------------------------------------


@cache
def modules() -> dict[str, tuple[ModuleType, ast.Module]]:
    """Our modules by name, with their syntax trees; without those that run when they are imported."""
    names = list(PACKAGES)
    for package in PACKAGES:
        names += [one.name for one in walk_packages([str(ROOT / package)], f"{package}.")]
    kept = [name for name in names if not re.search(r"\.(migrations|alembic|__main__)\b", name)]
    loaded = {name: import_module(name) for name in kept}
    return {name: (one, ast.parse(inspect.getsource(one))) for name, one in loaded.items() if one.__file__}


def nodes(*kinds: type[ast.AST]) -> Iterator[Any]:
    for _, tree in modules().values():
        yield from (node for node in ast.walk(tree) if isinstance(node, kinds))


def own_classes() -> list[tuple[type, list[type]]]:
    """Our classes that inherit from a class of these libraries, with those classes."""
    pairs = [
        (kind, [base for base in kind.__mro__ if base.__module__.split(".")[0] in LIBRARIES])
        for name, (module, _) in modules().items()
        for kind in vars(module).values()
        if inspect.isclass(kind) and kind.__module__ == name
    ]
    # What strawberry.type or SQLModel make of a class is their documented use.
    return [(kind, bases) for kind, bases in pairs if bases]


def used_of_self(kind: type) -> set[str]:
    """The names that a class of ours uses or assigns as attributes of `self`."""
    attributes = (node for node in ast.walk(ast.parse(text_of(kind))) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"}


def place(base: type, name: str) -> str | None:
    """The path of a member of a library's class; None when the class does not mention it."""
    path = f"{base.__module__}.{base.__qualname__}.{name}"
    return path if source(path).strip() else None


def test_every_name_that_is_imported_from_an_undocumented_module_is_listed() -> None:
    used = {
        f"{node.module}.{alias.name}"
        for node in nodes(ast.ImportFrom)
        if node.module and node.module.split(".")[0] in LIBRARIES and not DOCUMENTED.fullmatch(node.module)
        for alias in node.names
    }

    assert used
    require_listed(used)


def test_every_method_of_theirs_that_a_class_of_ours_overrides_is_listed() -> None:
    used = {
        f"{base.__module__}.{base.__qualname__}.{name}"
        for kind, bases in own_classes()
        for base in bases
        for name in set(vars(kind)) & set(vars(base)) - NOT_OVERRIDDEN
        if inspect.isfunction(_plain(vars(kind)[name])) and inspect.isfunction(_plain(vars(base)[name]))
    }

    assert "uvicorn.server.Server.shutdown" in used
    require_listed(used)


def test_every_attribute_of_theirs_that_a_class_of_ours_uses_is_listed() -> None:
    used = {
        path
        for kind, bases in own_classes()
        for name in used_of_self(kind) - set(vars(kind))
        for path in [next(filter(None, (place(base, name) for base in bases)), None)]
        if path
    }

    assert "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol.pipeline" in used
    require_listed(used)


def test_every_attribute_of_an_object_of_uvicorn_that_a_connection_uses_is_listed() -> None:
    used: set[str] = set()
    for name in ("chassis.process.connection", "chassis.process.response"):
        for node in ast.walk(modules()[name][1]):
            if isinstance(node, ast.Attribute):
                holder = getattr(node.value, "attr", None) or getattr(node.value, "id", None)
                used |= {f"{TYPE_OF[holder]}.{node.attr}"} if holder in TYPE_OF else set()

    assert f"{CYCLE}.keep_alive" in used
    require_listed(used)


OF_THE_STANDARD_LIBRARY = {"_replace", "_asdict", "_fields", "_exit"}


def test_every_private_name_of_theirs_is_listed() -> None:
    """A private name of an object other than `self` is one that the same module defines, or a library's."""
    foreign: set[str] = set()
    for _, tree in modules().values():
        every = list(ast.walk(tree))
        attributes = [node for node in every if isinstance(node, ast.Attribute)]
        functions = (node.name for node in every if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        ours = {*functions, *(node.attr for node in attributes if isinstance(node.ctx, ast.Store))}
        used = {node.attr for node in attributes if getattr(node.value, "id", "") not in ("self", "cls")}
        calls = [node for node in every if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr"]
        used |= {str(node.args[1].value) for node in calls if isinstance(node.args[1], ast.Constant)}
        foreign |= {name for name in used - ours if re.match("_[a-z]", name)}

    assert "_schema" in foreign
    assert foreign <= OF_THE_STANDARD_LIBRARY | {path.rpartition(".")[2] for path in LISTED}


def test_what_is_used_in_other_ways_is_listed() -> None:
    require_listed(ALSO)
