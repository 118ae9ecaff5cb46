"""The pages of a collection: a query's filter, order and cursors as a statement, and the page that its rows make."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Label, func, literal_column, select, text, true

from chassis.db.columns import RowDict, Rows
from chassis.db.filters import Values, beyond, condition, cursor_position
from chassis.db.statements import AnySelect, bigint_array
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
    """All that the text of a page's statement depends on. The conditions are SQL text; an empty one is no condition."""

    key: str
    """The column to order by, before the id."""
    descending: bool
    limit: int
    counted: bool
    parent: str
    """The column with the parent's id, when there is a page for each parent."""
    filter: str = ""
    after: str = ""
    before: str = ""
    outside_after: str = ""
    """The rows on the other side of the cursor `after`. The page tells whether there are any."""
    outside_before: str = ""

    @property
    def has_extras(self) -> bool:
        return self.counted or bool(self.after or self.before)


class Window:
    """The part of a collection that a query asks for: its shape and its values. It also makes the page from the
    rows."""

    def __init__(self, rows: Rows, query: RichQuery, parent: str = "") -> None:
        name, descending = query.ordering.removeprefix("-"), query.ordering.startswith("-")
        members, field, id_sql = query.model_fields_set, rows.fields[name], rows.fields["id"].sql
        self.query = query
        self.values: dict[str, Any] = {}
        conditions: dict[str, str] = {}
        if "filter" in members:
            values: Values = []
            conditions["filter"] = self._named("filter", condition(query.filter, rows.fields, values), values)
        for cursor, inside, outside in (("after", ">", "<="), ("before", "<", ">=")):
            if cursor in members:
                position = cursor_position(getattr(query, cursor), cursor, name, rows.fields)
                for term, side in ((cursor, inside), (f"outside_{cursor}", outside)):
                    values = []
                    sql = beyond(field, id_sql, position, side.translate(OPPOSITE) if descending else side, values)
                    conditions[term] = self._named(term, sql, values)
        self.shape = Shape(
            field.key, descending != query.backward, query.size + 1, query.count, parent, **conditions
        )  # one row more than the page, to see whether there are more

    def _named(self, term: str, sql: str, values: Values) -> str:
        """A condition with names for its values, since it may stand in the statement several times."""
        names = [f"{term}_{n}" for n in range(len(values))]
        self.values.update(zip(names, values, strict=True))
        return sql.replace("::", r"\:\:").replace("%s", ":{}").format(*names)

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
    cursors = [text(condition) for condition in (shape.after, shape.before) if condition]
    found = _matching(rows, shape, parent).where(*cursors).order_by(*_order(rows, shape))
    # The limit is part of the text: PostgreSQL plans a statement anew each time when its limit is a parameter.
    return found.limit(literal_column(str(shape.limit)))


def _order(rows: Rows, shape: Shape) -> list[ColumnElement[Any]]:
    key = rows.table.c[shape.key.rpartition(".")[2]]
    columns = dict.fromkeys((key, rows.id))
    return [column.desc() if shape.descending else column for column in columns]


def _matching(rows: Rows, shape: Shape, parent: FromClause | None = None) -> AnySelect:
    """The rows that match the filter, also as a subquery."""
    found = rows.select.correlate(parent)
    if parent is not None:
        found = found.where(rows.table.c[shape.parent] == parent.c.id)
    return found.where(text(shape.filter)) if shape.filter else found


def _extras(rows: Rows, shape: Shape, parent: FromClause | None = None) -> list[Label[Any]]:
    """What a page tells about rows outside of it: whether any is at or before `after`, whether any is at or after
    `before`, and the count. Only those that this shape needs."""
    matching = _matching(rows, shape, parent)
    found: list[ColumnElement[Any]] = [
        matching.with_only_columns(rows.id).where(text(condition)).exists()
        for condition in (shape.outside_after, shape.outside_before)
        if condition
    ]
    if shape.counted:
        found.append(matching.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery())
    return [extra.label(f"extra_{n}") for n, extra in enumerate(found)]
