"""Turns filters, orderings and cursors into SQL text. All column names come from our code, and every value is a
parameter."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chassis import instants
from chassis.errors import invalid
from chassis.query.models import RowFilter, StrictModel
from chassis.query.pagination import CursorPosition, decode_cursor
from chassis.text import fold

Values = list[Any]


@dataclass(frozen=True)
class Field:
    """A field by which clients may filter or order: its kind, and its SQL expression.

    `folded` is the stored folded form of a name. `ordered` says that clients may order by it, since an index supports
    that. `parent` says that clients may ask for the first rows of each of its values.
    """

    kind: Literal["integer", "name", "instant"]
    sql: str
    folded: str = ""
    ordered: bool = False
    parent: bool = False

    @property
    def key(self) -> str:
        """The SQL expression to order by."""
        return self.folded or self.sql


Fields = Mapping[str, Field]
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
        match operator:
            case "eq" if field.kind == "name":  # the index is on the folded form
                terms.append(f"({field.folded} = %s AND {field.sql} = %s)")
                values += [fold(value), value]
            case "in_" if field.kind == "name":
                terms.append(f"({field.folded} = ANY(%s) AND {field.sql} = ANY(%s))")
                values += [[fold(one) for one in value], value]
            case "in_":
                terms.append(f"{field.sql} = ANY(%s::bigint[])")
                values.append(bigints(value))
            case "contains":
                terms.append(f"{field.folded} LIKE %s")
                values.append(f"%{like(value)}%")
            case "starts_with":
                terms.append(f"{field.folded} LIKE %s")
                values.append(f"{like(value)}%")
            case _ if field.kind == "instant":
                terms.append(_instant(field.sql, operator, value, values))
            case _:
                terms.append(f"{field.sql} {COMPARISONS[operator]} %s")
                values.append(value)
    return terms


def _instant(sql: str, operator: str, instant: instants.Instant, values: Values) -> str:
    """An exact comparison, also with an instant between two microseconds."""
    if operator == "eq" and instant.floor != instant.ceiling:
        return "false"
    values.append(instant.ceiling if operator in ("gte", "lt") else instant.floor)
    return f"{sql} {COMPARISONS[operator]} %s"


def orderings(fields: Fields) -> tuple[str, ...]:
    """All orderings that a collection offers, each ascending and descending."""
    return tuple(sign + name for name, field in fields.items() if field.ordered for sign in ("", "-"))


def cursor_position(text: str, name: str, ordering_field: str, fields: Fields) -> CursorPosition:
    """The position that the cursor `text` in the parameter `name` stands for. Raises Invalid when it is not a cursor of
    this ordering."""
    try:
        position = decode_cursor(text)
        if position.field != ordering_field:
            raise ValueError("a cursor of another ordering")
        value: Any = position.value
        match fields[position.field].kind:
            case "name":
                value = fold(value)
                if "\0" in value:
                    raise ValueError("no name of ours")
            case "instant":
                value = instants.read(value).floor
            case "integer":
                pass
    except (ValueError, TypeError):
        raise invalid(name, "INVALID_CURSOR", "não é um cursor desta listagem e desta ordenação") from None
    return CursorPosition(position.field, value, position.id)


def beyond(field: Field, id_sql: str, position: CursorPosition, side: str, values: Values) -> str:
    """The condition for rows on one `side` ("<", ">", "<=", ">=") of a position, in ascending key order."""
    if position.field == "id":
        values.append(position.id)
        return f"{id_sql} {side} %s"
    values += [position.value, position.id]
    return f"({field.key}, {id_sql}) {side} (%s, %s)"
