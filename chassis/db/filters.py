"""Turns filters, orderings and cursors into SQL text. All column names come from our code, and every value is a
parameter."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis import instants, scalars
from chassis.errors import invalid
from chassis.query.models import Declaration, Kind, RowFilter, StrictModel
from chassis.query.pagination import INT8, CursorPosition, decode_cursor
from chassis.text import LAST_CHARACTER, fold

Values = list[Any]


BEYOND_ALL: dict[Kind, str] = {
    "integer": str(INT8),
    "decimal": "'Infinity'::numeric",
    "boolean": "2",
    "date": "'infinity'::date",
    "choice": f"'{LAST_CHARACTER}'",
    "name": f"'{LAST_CHARACTER}'",
}
"""By kind: an SQL literal that is greater than every value of a field. It takes the place of null where fields are
ordered and compared, so that null is the last value, and row comparisons of SQL hold. Texts are compared bytewise."""


def sort_key(kind: Kind, column: str, optional: bool) -> str:
    """The SQL expression by which a field is ordered and indexed. `column` has the folded form of a name."""
    sql = f"{column}::integer" if kind == "boolean" else column
    return f"COALESCE({sql}, {BEYOND_ALL[kind]})" if optional else sql


@dataclass(frozen=True, kw_only=True)
class Field(Declaration):
    """A field by which clients may filter or order, and its SQL expression. `folded` is the stored folded form of a
    name."""

    sql: str
    folded: str = ""

    @property
    def key(self) -> str:
        """The SQL expression to order by."""
        return sort_key(self.kind, self.folded or self.sql, self.optional)


Fields = Mapping[str, Field]
ARRAYS: dict[Kind, str] = {
    "id": "bigint[]",
    "integer": "bigint[]",
    "decimal": "numeric[]",
    "date": "date[]",
    "choice": "text[]",
    "text": "text[]",
}
COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def bigints(ids: Iterable[int]) -> str:
    """Integers as the text of a PostgreSQL array: psycopg takes ten times as long to write a list, item by item."""
    return f"{{{','.join(map(str, ids))}}}"


def like(term: str) -> str:
    """`term` folded, with LIKE's special characters escaped."""
    return fold(term).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def condition(filter: RowFilter, fields: Fields, values: Values) -> str:
    """Turns `filter` into one SQL condition, and appends its values to `values`."""
    terms: list[str] = []
    for member in filter.model_fields_set:
        operand: Any = getattr(filter, member)
        if member == "and_":
            terms += [condition(one, fields, values) for one in operand]
        elif member == "or_":
            terms.append("(" + (" OR ".join(condition(one, fields, values) for one in operand) or "false") + ")")
        elif member == "not_":
            terms.append("NOT " + condition(operand, fields, values))
        else:
            terms += _operators(fields[member], operand, values)
    return "(" + " AND ".join(terms) + ")" if terms else "true"


def _operators(field: Field, operators: StrictModel, values: Values) -> list[str]:
    terms: list[str] = []
    for operator in operators.model_fields_set:
        value: Any = getattr(operators, operator)
        if operator == "is_null":
            terms.append(f"{field.sql} IS {'' if value else 'NOT '}NULL")
            continue
        terms.append(_comparison(field, operator, value, values))
        if field.optional:  # false for null, so that `not` finds these rows
            terms.append(f"{field.sql} IS NOT NULL")
    return terms


def _comparison(field: Field, operator: str, value: Any, values: Values) -> str:
    indexed = field.key if field.indexed else field.sql
    match operator:
        case "eq" if field.folded:
            values += [fold(value), value]
            return f"({indexed} = %s AND {field.sql} = %s)"
        case "in_" if field.folded:
            values += [[fold(one) for one in value], value]
            return f"({indexed} = ANY(%s) AND {field.sql} = ANY(%s))"
        case "in_":
            array = ARRAYS[field.kind]
            values.append(bigints(value) if array == "bigint[]" else value)
            return f"{indexed} = ANY(%s::{array})"
        case "contains":
            values.append(f"%{like(value)}%")
            return f"{field.folded} LIKE %s"
        case "starts_with":
            values.append(f"{like(value)}%")
            return f"{field.folded} LIKE %s"
        case _ if field.kind == "instant":
            return _instant(field.sql, operator, value, values)
        case _:
            values.append(value)
            return f"{indexed if operator == 'eq' else field.sql} {COMPARISONS[operator]} %s"


def _instant(sql: str, operator: str, instant: instants.Instant, values: Values) -> str:
    """An exact comparison, also with an instant between two microseconds."""
    if operator == "eq" and instant.floor != instant.ceiling:
        return "false"
    values.append(instant.ceiling if operator in ("gte", "lt") else instant.floor)
    return f"{sql} {COMPARISONS[operator]} %s"


def orderings(fields: Fields) -> tuple[str, ...]:
    """All orderings that a collection offers, each ascending and descending."""
    return tuple(sign + name for name, field in fields.items() if field.ordered for sign in ("", "-"))


def _read_whole_number(value: Any) -> int:
    if type(value) is not int or abs(value) > INT8:
        raise ValueError("no integer of ours")
    return value


def _read_boolean(value: Any) -> int:
    if type(value) is not bool:
        raise ValueError("no boolean")
    return int(value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no text of ours")
    return value


READ_KEY: dict[Kind, Callable[[Any], Any]] = {
    "integer": _read_whole_number,
    "decimal": scalars.read_decimal,
    "boolean": _read_boolean,
    "date": scalars.read_date,
    "choice": _read_text,
    "name": lambda value: fold(_read_text(value)),
    "instant": lambda value: instants.read(value).floor,
}
"""By kind: the value of the sort key for the value in a cursor. Raises ValueError."""


def cursor_position(text: str, name: str, ordering_field: str, fields: Fields) -> CursorPosition:
    """The position that the cursor `text` in the parameter `name` stands for. Raises Invalid when it is not a cursor of
    this ordering."""
    try:
        position = decode_cursor(text)
        if position.field != ordering_field:
            raise ValueError("a cursor of another ordering")
        field, value = fields[position.field], position.value
        if position.field != "id" and (value is not None or not field.optional):
            value = READ_KEY[field.kind](value)
    except ValueError:
        raise invalid(name, "INVALID_CURSOR", "não é um cursor desta listagem e desta ordenação") from None
    return CursorPosition(position.field, value, position.id)


def beyond(field: Field, id_sql: str, position: CursorPosition, side: str, values: Values) -> str:
    """The condition for rows on one `side` ("<", ">", "<=", ">=") of a position, in ascending key order."""
    if position.field == "id":
        values.append(position.id)
        return f"{id_sql} {side} %s"
    values += [position.id] if position.value is None else [position.value, position.id]
    key = BEYOND_ALL[field.kind] if position.value is None else "%s"
    return f"({field.key}, {id_sql}) {side} ({key}, %s)"
