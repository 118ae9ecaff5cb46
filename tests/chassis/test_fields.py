"""The kinds of fields: what a body may have, how rows are ordered and filtered by them, and what their table gets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest
from sqlmodel import SQLModel, select

from chassis.db.columns import Rows
from chassis.db.filters import beyond, condition, cursor_position, orderings
from chassis.db.models import (
    boolean_field,
    choice_field,
    date_field,
    decimal_field,
    id_field,
    integer_field,
    table_parts,
    tables,
    text_field,
)
from chassis.errors import Invalid
from chassis.query.models import Id, query_model
from chassis.query.pagination import cursor
from chassis.rest.parameters import parameters_of
from chassis.web.validation import validate

Condition = Literal["NEW", "USED"]


class Base(SQLModel, registry=tables()):
    pass


class ThingWrite(SQLModel):
    mail: str | None = text_field("a@b", max_length=10, searched=True, ordered=True, default=None, description="Mail.")
    note: str = text_field("x", max_length=5, existing="É isto")
    stock: int | None = integer_field(3, minimum=0, ordered=True, default=None)
    price: Decimal | None = decimal_field("1.50", digits=5, places=2, ordered=True, default=None)
    active: bool = boolean_field(True, ordered=True, default=True)
    since: date | None = date_field("2026-01-31", ordered=True, default=None)
    condition: Condition | None = choice_field(Condition, "NEW", ordered=True, default=None)


class ThingPublic(ThingWrite):
    id: Id = id_field()


class Thing(ThingPublic, Base, table=True):
    __table_args__ = table_parts("thing", ThingWrite)


ROWS = Rows(select(Thing), ThingPublic)
QUERY = query_model("Thing", ROWS.fields, orderings(ROWS.fields))


def matched(**filter: Any) -> tuple[str, list[Any]]:
    values: list[Any] = []
    query: Any = QUERY.model_validate({"filter": filter})
    return condition(query.filter, ROWS.fields, values), values


def after(field: str, value: Any) -> tuple[str, list[Any]]:
    values: list[Any] = []
    position = cursor_position(cursor(field, value, 7), "after", field, ROWS.fields)
    return beyond(ROWS.fields[field], "thing.id", position, ">", values), values


def test_a_body_has_the_values_of_every_kind() -> None:
    body = {
        "mail": " Jose\u0301 ",
        "note": "x",
        "stock": 0,
        "price": "-1.5",
        "active": False,
        "since": "2024-02-29",
        "condition": "USED",
    }

    assert validate(ThingWrite, body).model_dump() == body | {
        "mail": "José",
        "price": Decimal("-1.5"),
        "since": date(2024, 2, 29),
    }


def test_what_is_optional_may_be_null_or_absent_and_a_default_may_be_absent() -> None:
    nothing = {"mail": None, "stock": None, "price": None, "since": None, "condition": None}

    assert validate(ThingWrite, {"note": "x"}).model_dump() == nothing | {"note": "x", "active": True}
    assert validate(ThingWrite, nothing | {"note": "x"}).model_dump() == nothing | {"note": "x", "active": True}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("mail", "", "BLANK"),
        ("mail", "\u200b", "BLANK"),
        ("mail", "a\nb", "INVALID_CHARACTER"),
        ("mail", "\U0010ffff", "INVALID_CHARACTER"),
        ("mail", 5, "NOT_A_STRING"),
        ("mail", "e\u0301" * 11, "TOO_LONG"),
        ("note", None, "NULL"),
        ("stock", -1, "OUT_OF_RANGE"),
        ("stock", 2**31, "OUT_OF_RANGE"),
        ("stock", "1", "NOT_AN_INTEGER"),
        ("stock", True, "NOT_AN_INTEGER"),
        ("price", 1.5, "NOT_A_DECIMAL"),
        ("price", 1, "NOT_A_DECIMAL"),
        ("price", "1e3", "NOT_A_DECIMAL"),
        ("price", "NaN", "NOT_A_DECIMAL"),
        ("price", "٣", "NOT_A_DECIMAL"),
        ("price", "1" * 101, "NOT_A_DECIMAL"),
        ("price", "1.005", "OUT_OF_RANGE"),
        ("price", "1234.00", "OUT_OF_RANGE"),
        ("active", 1, "NOT_A_BOOLEAN"),
        ("active", None, "NULL"),
        ("since", "2026-02-29", "NOT_A_DATE"),
        ("since", "2026-2-3", "NOT_A_DATE"),
        ("since", "2026-01-31T00:00:00Z", "NOT_A_DATE"),
        ("since", 0, "NOT_A_DATE"),
        ("condition", "new", "INVALID_CHOICE"),
    ],
)
def test_another_value_is_refused_by_name(field: str, value: object, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        validate(ThingWrite, {"note": "x", field: value})

    assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]


def test_null_is_ordered_after_every_value() -> None:
    assert after("price", "1.50") == (
        "(COALESCE(thing.price, 'Infinity'::numeric), thing.id) > (%s, %s)",
        [Decimal("1.50"), 7],
    )
    assert after("price", None) == (
        "(COALESCE(thing.price, 'Infinity'::numeric), thing.id) > ('Infinity'::numeric, %s)",
        [7],
    )
    assert after("active", True) == ("(thing.active::integer, thing.id) > (%s, %s)", [1, 7])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("mail", value) for value in (5, "a\0")),
        *(("stock", value) for value in ("3", True, 2**63)),
        *(("price", value) for value in (1.5, "x")),
        *(("active", value) for value in (None, 1, "true")),
        *(("since", value) for value in ("2026-02-30", 5)),
        ("condition", 5),
    ],
)
def test_a_cursor_with_a_value_of_another_kind_is_refused(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        after(field, value)

    assert refused.value.errors[0].code == "INVALID_CURSOR"


def test_a_comparison_with_null_is_false_so_that_not_finds_it() -> None:
    assert matched(stock={"gt": 2}) == ("(thing.stock > %s AND thing.stock IS NOT NULL)", [2])
    assert matched(**{"not": {"stock": {"gt": 2}}})[0] == "(NOT (thing.stock > %s AND thing.stock IS NOT NULL))"
    assert matched(stock={"is_null": True}) == ("(thing.stock IS NULL)", [])
    assert matched(stock={"is_null": False}) == ("(thing.stock IS NOT NULL)", [])
    assert matched(active={"eq": True}) == ("(thing.active = %s)", [True])


def test_equality_is_asked_of_the_index() -> None:
    key = f"COALESCE(thing.stock, {2**63 - 1})"

    assert matched(stock={"eq": 2})[0] == f"({key} = %s AND thing.stock IS NOT NULL)"
    assert matched(stock={"in": [1, 2]})[0] == f"({key} = ANY(%s::bigint[]) AND thing.stock IS NOT NULL)"


@pytest.mark.parametrize(
    ("filter", "is_search"),
    [
        ({"stock": {"eq": 1}}, False),
        ({"mail": {"eq": "x"}}, False),
        ({"stock": {"gt": 1}}, True),
        ({"note": {"eq": "x"}}, True),
        ({"active": {"eq": True}}, True),
        ({"condition": {"in": ["NEW"]}}, True),
    ],
)
def test_only_what_an_index_finds_is_no_search(filter: dict[str, Any], is_search: bool) -> None:
    assert QUERY.model_validate({"filter": filter}).is_search is is_search


def test_each_kind_has_its_parameters() -> None:
    of_every_collection = {"page_size", "cursor", "before", "count", "ordering", "id"}

    assert set(parameters_of("Thing", ROWS.fields).model_fields) - of_every_collection == {
        "mail",
        "note",
        "search",
        *("stock", "stock__gte", "stock__lte"),
        *("price", "price__gte", "price__lte"),
        *("since", "since__gte", "since__lte"),
        "active",
        "condition",
    }


def test_the_table_has_what_its_fields_need() -> None:
    table: Any = Thing.__dict__["__table__"]

    assert {index.name for index in table.indexes} == {
        "thing_mail_busca_id_idx",
        "thing_stock_id_idx",
        "thing_price_id_idx",
        "thing_active_id_idx",
        "thing_since_id_idx",
        "thing_condition_id_idx",
        "thing_fold_version_idx",
    }
    assert table.c.mail_busca.nullable
    assert (table.c.note.nullable, table.c.note.server_default.arg) == (False, "É isto")
    assert table.c.active.server_default.arg == "true"
    assert "thing_condition_check" in {check.name for check in table.constraints}


def test_a_field_is_described_where_it_is_declared() -> None:
    mail = ThingWrite.model_json_schema()["properties"]["mail"]

    assert mail["description"].startswith("Mail. 1 to 10 characters")
    assert mail["examples"] == ["a@b"]


def test_a_text_that_no_index_could_hold_is_not_ordered() -> None:
    with pytest.raises(ValueError, match="at most 300 characters"):
        text_field("x", max_length=301, ordered=True)


def test_a_longer_text_than_a_filter_has_is_refused_as_a_parameter_too() -> None:
    class Note(SQLModel, registry=tables()):
        pass

    class Page(Note, table=True):
        id: Id = id_field()
        text: str = text_field("x", max_length=1000)

    parameters = parameters_of("Page", Rows(select(Page), Page).fields)

    with pytest.raises(Invalid) as refused:
        validate(parameters, {"text": "x" * 201})
    assert refused.value.errors[0].code == "TOO_LONG"


@pytest.mark.parametrize("name", ["count", "search", "ordering", "page_size", "cursor", "before"])
def test_a_field_with_the_name_of_a_lists_own_parameter_is_refused(name: str) -> None:
    fields = {"id": ROWS.fields["id"], name: ROWS.fields["stock"]}
    with pytest.raises(ValueError, match=rf"^Thing.{name} needs another name: lists have the parameter {name} already"):
        parameters_of("Thing", fields)


def test_an_integer_may_not_be_as_large_as_the_place_of_rows_without_one() -> None:
    with pytest.raises(ValueError, match=r"^maximum must be below 9223372036854775807"):
        integer_field(1, maximum=2**63 - 1)
