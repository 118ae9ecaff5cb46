"""The rows of one resource: every read and write of a collection, each as one SQL statement.

A service subclasses `Repository` and says where its rows come from. Rows are plain dicts with exactly the members of
the REST representation. SQL is written here and in the services' `repository.py`, nowhere else.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from psycopg import errors
from psycopg.rows import args_row

from chassis.db.columns import RowDict
from chassis.db.database import Database, Transaction
from chassis.db.filters import Fields, Values, beyond, bigints, condition, cursor_position
from chassis.errors import FieldError, NotFound, invalid, over_limit
from chassis.query.models import GroupedQuery, RichQuery
from chassis.text import fold

MAX_GROUPED_ROWS = 100_000
"""The most rows in one answer that is grouped by parent: the number of parents times the page size."""


@dataclass(slots=True)
class PageOfRows:
    """One page: its rows in order, whether there are more on either side, and the total when the query asks for it."""

    items: list[RowDict]
    has_next: bool
    has_previous: bool
    count: int | None = None


class Repository:
    """The rows of one resource."""

    noun: ClassVar[str]
    """The business's word for one row, in ASCII ("servico"). It names the OpenAPI types."""
    label: ClassVar[str]
    """The word for one row in messages ("serviço")."""
    table: ClassVar[str]
    source: ClassVar[str]
    """The FROM clause: the table, joined to the other tables that its representation shows."""
    select: ClassVar[str]
    """The columns of the representation. The table's own id comes first."""
    row: ClassVar[Callable[..., RowDict]]
    """Makes the representation of one row of `select`; a static method."""
    fields: ClassVar[Fields]
    """By which clients may filter and order. `columns_of` makes these three."""
    locking: ClassVar[str] = "FOR UPDATE"
    """The locking clause that prevents all changes to a row's representation."""
    references: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """The foreign keys: each constraint's name, with its field and the table that it refers to."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The table's columns and values for the validated members of a body; a name brings its folded form."""
        names = [(name, field.folded) for name, field in self.fields.items() if field.folded and name in written]
        return {**written, **{folded.rpartition(".")[2]: fold(written[name]) for name, folded in names}}

    # -- reads -------------------------------------------------------------------------------------------------

    async def get(self, id: int) -> RowDict:
        """The row `id`. Raises NotFound."""
        rows = await self._rows(f"SELECT {self.select} FROM {self.source} WHERE {self._id} = %s", [id])
        if not rows:
            raise self.not_found(id)
        return rows[0]

    async def by_ids(self, ids: Sequence[int]) -> list[RowDict]:
        """The rows that exist among `ids`, in id order, in one statement."""
        if not ids:
            return []
        sql = f"SELECT {self.select} FROM {self.source} WHERE {self._id} = ANY(%s::bigint[]) ORDER BY {self._id}"
        return await self._rows(sql, [bigints(ids)])

    async def missing_references(self, written: Mapping[str, Any]) -> list[FieldError]:
        """An error for each reference in `written` to a row that does not exist, as the foreign keys would report if
        `written` could be stored."""
        return [
            FieldError(field, "NOT_FOUND", f"{referred} {written[field]} não existe")
            for field, referred in self.references.values()
            if field in written
            and not await self.database.fetch(f"SELECT id FROM {referred} WHERE id = %s", [written[field]])
        ]

    async def ids(self, query: RichQuery) -> tuple[list[int], bool]:
        """The first 5,000 ids that match the query's filter, in its order, and whether there are more."""
        values: Values = []
        sql = f"SELECT {self._id} FROM {self.source} {Window(self.fields, self._id, query).clauses(values)}"
        found = [id for (id,) in await self._fetcher(query)(sql, values)]
        return found[: query.size], len(found) > query.size

    async def page(self, query: RichQuery) -> PageOfRows:
        """The page that a query asks for, in one statement. Raises Invalid for a cursor of another ordering."""
        window = Window(self.fields, self._id, query)
        extras, extra_values = window.extras(self.source)
        values = list(extra_values)
        sql = f"SELECT {', '.join([self.select, *extras])} FROM {self.source} {window.clauses(values)}"
        rows = await self._fetcher(query)(sql, values)
        if rows:
            extra_results = rows[0][len(rows[0]) - len(extras) :]
        else:  # without rows the extra columns are missing: ask for them alone
            sql = f"SELECT {', '.join(extras)}"
            extra_results = (await self._fetcher(query)(sql, extra_values))[0] if extras else ()
        width = len(rows[0]) - len(extras) if rows else 0
        return window.page([self.row(*columns[:width]) for columns in rows], extra_results)

    async def pages_per_parent(self, query: GroupedQuery) -> list[tuple[int, PageOfRows]]:
        """A page for each distinct parent id of `query.per`, in the query's order; one statement."""
        parent, ids = self.fields[query.per.field], dict.fromkeys(query.per.ids)
        if len(ids) * query.size > MAX_GROUPED_ROWS:
            limit = MAX_GROUPED_ROWS // len(ids)
            end = "last" if query.backward else "first"
            raise over_limit(end, f"para {len(ids)} pais, no máximo {limit} itens por pai")
        window = Window(self.fields, self._id, query, scope=f"{parent.sql} = parent.id")
        extras, values = window.extras(self.source)
        extra = f"CROSS JOIN LATERAL (SELECT {', '.join(extras)}) AS extra" if extras else ""
        values = [bigints(ids), *values]
        sql = (
            f"SELECT parent.id{', extra.*' if extras else ''}, item.* "
            f"FROM unnest(%s::bigint[]) WITH ORDINALITY AS parent (id, place) {extra} "
            f"LEFT JOIN LATERAL (SELECT row_number() OVER (ORDER BY {window.order}) AS place, {self.select} "
            f"FROM {self.source} {window.clauses(values)}) AS item ON true ORDER BY parent.place, item.place"
        )
        found: dict[int, tuple[list[RowDict], Sequence[Any]]] = {}
        first_column = 1 + len(extras)
        for columns in await self._fetcher(query)(sql, values):
            rows, _ = found.setdefault(columns[0], ([], columns[1:first_column]))
            if columns[first_column] is not None:
                rows.append(self.row(*columns[first_column + 1 :]))
        return [(id, window.page(rows, extra_results)) for id, (rows, extra_results) in found.items()]

    # -- writes, inside the caller's transaction ---------------------------------------------------------------

    async def lock(self, transaction: Transaction, id: int) -> RowDict:
        """The row `id`, locked until the transaction ends, so nobody can change its representation. Raises NotFound."""
        sql = f"SELECT {self.select} FROM {self.source} WHERE {self._id} = %s {self.locking}"
        return self._one(await transaction.fetch(sql, [id], args_row(self.row)), id)

    async def add(self, transaction: Transaction, written: Mapping[str, Any]) -> RowDict:
        """Inserts a row and returns it, with the values that the database set. Raises Invalid for a reference to a
        missing row."""
        values = self.stored(written)
        columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        sql = f"INSERT INTO {self.table} ({columns}) VALUES ({marks})"
        return (await self._write(transaction, sql, values))[0]

    async def change(self, transaction: Transaction, id: int, written: Mapping[str, Any]) -> RowDict:
        """Changes a row and returns it. Raises NotFound, and Invalid for a reference to a missing row."""
        values = self.stored(written)
        changes = ", ".join(f"{column} = %s" for column in values)
        sql = f"UPDATE {self.table} SET {changes} WHERE id = %s"
        return self._one(await self._write(transaction, sql, values, id), id)

    async def remove(self, transaction: Transaction, id: int) -> None:
        """Deletes the row. Raises NotFound."""
        sql = f"DELETE FROM {self.table} WHERE id = %s RETURNING id"
        if not await transaction.fetch(sql, [id]):
            raise self.not_found(id)

    async def _write(self, transaction: Transaction, sql: str, stored: Mapping[str, Any], *more: Any) -> list[RowDict]:
        # The common table expression has the table's own name, so that `source` and `select` read the new row.
        sql = f"WITH {self.table} AS ({sql} RETURNING *) SELECT {self.select} FROM {self.source}"
        try:
            return await transaction.fetch(sql, [*stored.values(), *more], args_row(self.row))
        except errors.ForeignKeyViolation as failure:
            field, referred = self.references[failure.diag.constraint_name or ""]
            raise invalid(field, "NOT_FOUND", f"{referred} {stored[field]} não existe") from failure

    # -- what reads and writes share ---------------------------------------------------------------------------

    def not_found(self, id: int) -> NotFound:
        return NotFound(f"{self.label} {id} não existe")

    def _one(self, rows: list[RowDict], id: int) -> RowDict:
        if not rows:
            raise self.not_found(id)
        return rows[0]

    def _fetcher(self, query: RichQuery) -> Callable[[str, Values], Awaitable[list[Any]]]:
        """The method that runs the query's SQL: searches use only some of the connections."""
        return self.database.search if query.is_search else self.database.fetch

    async def _rows(self, sql: str, values: Values) -> list[RowDict]:
        return await self.database.fetch(sql, values, args_row(self.row))

    @property
    def _id(self) -> str:
        return self.fields["id"].sql


class Window:
    """A query's filter, order, bounds and size as SQL. It also makes the page from the rows."""

    def __init__(self, fields: Fields, id_sql: str, query: RichQuery, scope: str = "") -> None:
        name = query.ordering.removeprefix("-")
        self.query, self.id_sql, self.sort_field = query, id_sql, fields[name]
        self.descending = query.ordering.startswith("-")
        members = query.model_fields_set
        self.after = cursor_position(query.after, "after", name, fields) if "after" in members else None
        self.before = cursor_position(query.before, "before", name, fields) if "before" in members else None
        self._values: Values = []
        self._where = condition(query.filter, fields, self._values) if "filter" in members else "true"
        if scope:
            self._where = f"{scope} AND {self._where}"

    @property
    def order(self) -> str:
        """The ORDER BY clause, reversed when the page is read from its end."""
        direction = " DESC" if self.descending != self.query.backward else ""
        return ", ".join(f"{sql}{direction}" for sql in dict.fromkeys((self.sort_field.key, self.id_sql)))

    def clauses(self, values: Values) -> str:
        """The WHERE, ORDER BY and LIMIT clauses. LIMIT is one more than the page, to see whether there are more."""
        values += self._values
        where = [self._where]
        if self.after:
            where.append(beyond(self.sort_field, self.id_sql, self.after, "<" if self.descending else ">", values))
        if self.before:
            where.append(beyond(self.sort_field, self.id_sql, self.before, ">" if self.descending else "<", values))
        return f"WHERE {' AND '.join(where)} ORDER BY {self.order} LIMIT {self.query.size + 1}"

    def extras(self, source: str) -> tuple[list[str], Values]:
        """SQL expressions about rows outside of the page: whether any is at or before `after`, whether any is at or
        after `before`, and the count. Only those that this query needs."""
        expressions: list[str] = []
        values: Values = []
        for position, side in (
            (self.after, ">=" if self.descending else "<="),
            (self.before, "<=" if self.descending else ">="),
        ):
            if position:
                values += self._values
                bound = beyond(self.sort_field, self.id_sql, position, side, values)
                expressions.append(f"EXISTS (SELECT FROM {source} WHERE {self._where} AND {bound})")
        if self.query.count:
            values += self._values
            expressions.append(f"(SELECT count(*) FROM {source} WHERE {self._where})")
        return [f"{expression} AS extra_{n}" for n, expression in enumerate(expressions)], values

    def page(self, rows: list[RowDict], extra_results: Sequence[Any]) -> PageOfRows:
        """Makes the page from `rows` and the values of `extras`."""
        remaining = iter(extra_results)
        any_before = next(remaining) if self.after else False
        any_after = next(remaining) if self.before else False
        count = next(remaining) if self.query.count else None
        more, rows = len(rows) > self.query.size, rows[: self.query.size]
        if self.query.backward:
            return PageOfRows(rows[::-1], has_next=any_after, has_previous=more or any_before, count=count)
        return PageOfRows(rows, has_next=more or any_after, has_previous=any_before, count=count)
