"""The pages of a collection: a query's filter, order and cursors as a statement, and the page that its rows make."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Label, func, literal_column, select, true

from chassis.db.columns import RowDict, Rows
from chassis.db.filters import Values, beyond, condition, cursor_position
from chassis.db.statements import AnySelect, Fragment, bigint_array, fragment
from chassis.query.models import RichQuery

OPPOSITE = str.maketrans("<>", "><")


@dataclass(slots=True)
class PageOfRows:
    """One page: its rows in order, whether there are more on either side, and the total when the query asks for it."""

    items: list[RowDict]
    has_next: bool
    has_previous: bool
    count: int | None = None


class Shape(NamedTuple):
    """All that the text of a page's statement depends on, but for its fragments: the filter, the cursors, the limit."""

    key: str
    """The SQL to order by, before the id."""
    descending: bool
    filtered: bool
    after: bool
    before: bool
    counted: bool
    parent: str
    """The column with the parent's id, when there is a page for each parent."""

    @property
    def has_extras(self) -> bool:
        return self.after or self.before or self.counted


class Window:
    """The part of a collection that a query asks for: its shape and its values. It also makes the page from the
    rows."""

    def __init__(self, rows: Rows, query: RichQuery, parent: str = "") -> None:
        name, descending = query.ordering.removeprefix("-"), query.ordering.startswith("-")
        members, field, fields = query.model_fields_set, rows.fields[name], rows.fields
        self.query = query
        # One row more than the page, to see whether there are more. The limit is not a value: PostgreSQL plans a
        # statement anew each time when its limit is one.
        self.values: dict[str, Any] = {"limit": Fragment(str(query.size + 1))}
        if filtered := "filter" in members:
            values: Values = []
            self.values["filter"] = Fragment(condition(query.filter, fields, values), values)
        for cursor, inside, outside in (("after", ">", "<="), ("before", "<", ">=")):
            if cursor in members:
                position = cursor_position(getattr(query, cursor), cursor, name, fields)
                for term, side in ((cursor, inside), (f"outside_{cursor}", outside)):
                    side, values = side.translate(OPPOSITE) if descending else side, []
                    self.values[term] = Fragment(beyond(field, fields["id"].sql, position, side, values), values)
        reverse = descending != query.backward
        self.shape = Shape(field.key, reverse, filtered, "after" in members, "before" in members, query.count, parent)

    def page(self, rows: list[RowDict], extra_results: Sequence[Any]) -> PageOfRows:
        """Makes the page from `rows` and the values of `_extras`."""
        remaining = iter(extra_results)
        any_before = next(remaining) if self.shape.after else False
        any_after = next(remaining) if self.shape.before else False
        count = next(remaining) if self.shape.counted else None
        more, rows = len(rows) > self.query.size, rows[: self.query.size]
        if self.query.backward:
            return PageOfRows(rows[::-1], has_next=any_after, has_previous=more or any_before, count=count)
        return PageOfRows(rows, has_next=more or any_after, has_previous=any_before, count=count)


def page_ids(rows: Rows, shape: Shape) -> AnySelect:
    """The ids of a page."""
    return _page(rows, shape).with_only_columns(rows.id)


def page_with_extras(rows: Rows, shape: Shape) -> AnySelect:
    """The rows of a page, each followed by the extras."""
    return _page(rows, shape).add_columns(*_extras(rows, shape))


def extras_alone(rows: Rows, shape: Shape) -> AnySelect:
    return select(*_extras(rows, shape))


def grouped_pages(rows: Rows, shape: Shape) -> AnySelect:
    """The parents' ids, in the given order, each with its extras, and the place and the columns of each of its rows."""
    unnested = func.unnest(bigint_array("parents")).table_valued("id", with_ordinality="place")
    parent = unnested.render_derived(name="parent")
    place = func.row_number().over(order_by=_order(rows, shape)).label("place")
    page = _page(rows, shape, parent)
    item = page.with_only_columns(place, *page.selected_columns).lateral("item")
    joined: FromClause = parent
    extras: list[ColumnElement[Any]] = []
    if found := _extras(rows, shape, parent):
        extra = select(*found).lateral("extra")
        joined, extras = joined.join(extra, true()), [*extra.c]
    joined = joined.outerjoin(item, true())
    return select(parent.c.id, *extras, *item.c).select_from(joined).order_by(parent.c.place, item.c.place)


def _page(rows: Rows, shape: Shape, parent: FromClause | None = None) -> AnySelect:
    cursors = [fragment(cursor) for cursor in ("after", "before") if getattr(shape, cursor)]
    return _matching(rows, shape, parent).where(*cursors).order_by(*_order(rows, shape)).limit(fragment("limit"))


def _order(rows: Rows, shape: Shape) -> list[ColumnElement[Any]]:
    keys: list[ColumnElement[Any]] = [rows.id]
    if shape.key != rows.fields["id"].sql:
        keys.insert(0, literal_column(shape.key))
    return [key.desc() if shape.descending else key for key in keys]


def _matching(rows: Rows, shape: Shape, parent: FromClause | None = None) -> AnySelect:
    """The rows that match the filter, also as a subquery."""
    found = rows.select.correlate(parent)
    if parent is not None:
        found = found.where(rows.table.c[shape.parent] == parent.c.id)
    return found.where(fragment("filter")) if shape.filtered else found


def _extras(rows: Rows, shape: Shape, parent: FromClause | None = None) -> list[Label[Any]]:
    """What a page tells about rows outside of it: whether any is at or before `after`, whether any is at or after
    `before`, and the count. Only those that this shape needs."""
    matching = _matching(rows, shape, parent)
    found: list[ColumnElement[Any]] = [
        matching.with_only_columns(rows.id).where(fragment(f"outside_{cursor}")).exists()
        for cursor in ("after", "before")
        if getattr(shape, cursor)
    ]
    if shape.counted:
        found.append(matching.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery())
    return [extra.label(f"extra_{n}") for n, extra in enumerate(found)]
