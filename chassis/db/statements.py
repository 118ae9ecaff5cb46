"""SQLAlchemy's statements as psycopg runs them: a text, and its values in order.

To compile a statement takes longer than to run it. So a text is compiled once for each shape, which is all that the
text depends on. Clients choose the shapes of some statements, so the texts that were used last are kept, and no others.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import sqlalchemy
from psycopg import postgres
from psycopg.rows import AsyncRowFactory, args_row, tuple_row
from sqlalchemy import BigInteger, BindParameter, ColumnElement, Executable, Select, bindparam
from sqlalchemy.dialects.postgresql import ARRAY, psycopg
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType
from sqlalchemy.util import LRUCache

from chassis.db.filters import bigints

DIALECT = psycopg.dialect(paramstyle="format")
MAX_SHAPES = 500
"""How many texts are kept."""
NUMERIC = postgres.types["numeric"].oid

AnySelect = Select[*tuple[Any, ...]]
Conversion = Callable[[Any], Any]


class _BigintArray(UserDefinedType[Sequence[int]]):
    cache_ok = True

    def bind_processor(self, dialect: Any) -> Any:
        return bigints


def bigint_array(name: str) -> ColumnElement[Any]:
    """The parameter `name`: a sequence of 64-bit integers."""
    return sqlalchemy.cast(bindparam(name, type_=_BigintArray()), ARRAY(BigInteger))


def result_conversion(column_type: TypeEngine[Any]) -> Conversion | None:
    """Makes a value of this type from what psycopg reads; None when that is such a value already."""
    # Only numbers look at the type that PostgreSQL answers, and psycopg reads them as Decimal.
    return column_type.dialect_impl(DIALECT).result_processor(DIALECT, NUMERIC)


class Fragment(NamedTuple):
    """A part of a statement that is text, with values of its own. There are too many filters to compile each."""

    sql: str
    values: Sequence[Any] = ()


def fragment(name: str) -> BindParameter[Any]:
    """The place of a `Fragment` in a statement."""
    return bindparam(name, type_=NullType())


class Statement:
    """A compiled statement. Its values are given by the names of its parameters."""

    def __init__(self, statement: Executable) -> None:
        found: Any = cast("Any", statement).compile(dialect=DIALECT)
        conversions = _conversions(found)
        self.sql: str = found.string
        self._pieces = self.sql.split("%s")
        self._parameters = [(name, conversions.get(name)) for name in found.positiontup]

    def bound(self, **given: Any) -> tuple[str, list[Any]]:
        """The text, and the values in its order."""
        return self.sql, [convert(given[name]) if convert else given[name] for name, convert in self._parameters]

    def filled(self, **given: Any) -> tuple[str, list[Any]]:
        """The same for a statement with fragments."""
        texts, values = [self._pieces[0]], list[Any]()
        for (name, convert), piece in zip(self._parameters, self._pieces[1:], strict=True):
            value = given[name]
            if isinstance(value, Fragment):
                texts += (value.sql, piece)
                values += value.values
            else:
                texts += ("%s", piece)
                values.append(convert(value) if convert else value)
        return "".join(texts), values


@lru_cache(MAX_SHAPES)
def compiled(build: Callable[..., Executable], *shape: Any) -> Statement:
    """The statement that `build` makes for this shape. Its values are not in the shape: they are parameters, made by
    `bindparam`."""
    return Statement(build(*shape))


_texts = LRUCache[Any, Any](MAX_SHAPES)


def text_and_values(statement: Executable) -> tuple[str, list[Any]]:
    """The text of a statement that has its values in it, and these values. Its shape is SQLAlchemy's own cache key."""
    # The method that SQLAlchemy's own connections call; there is no public one.
    found, values, *_ = cast("Any", statement)._compile_w_cache(DIALECT, compiled_cache=_texts, column_keys=[])
    state = found.construct_expanded_state(found.construct_params(extracted_parameters=values))
    conversions = _conversions(found) | state.processors
    pairs = zip(state.positiontup, state.positional_parameters, strict=True)
    return state.statement, [conversions[name](value) if name in conversions else value for name, value in pairs]


def tuples_of(question: AnySelect) -> AsyncRowFactory[tuple[Any, ...]]:
    """Makes a tuple of each row of `question`, for psycopg, with each value as its column's type has it."""
    conversions = [result_conversion(column.type) for column in question.selected_columns]
    if not any(conversions):
        return tuple_row
    return args_row(
        lambda *values: tuple(
            convert(value) if convert else value for convert, value in zip(conversions, values, strict=True)
        )
    )


def _conversions(found: Any) -> dict[str, Conversion]:
    """The conversions of a compiled statement's parameters, of those whose type has one."""
    made = {name: found.binds[name].type.dialect_impl(DIALECT).bind_processor(DIALECT) for name in found.positiontup}
    return {name: convert for name, convert in made.items() if convert}
