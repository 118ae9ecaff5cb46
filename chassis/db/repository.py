"""The rows of one resource: every question a collection can be asked, each answered by one statement.

A service subclasses `Repository` and says where its rows come from. Rows are plain dicts with exactly the members of
the REST representation. SQL is written here and in the services' `repository.py`, nowhere else.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from psycopg import errors
from psycopg.rows import args_row

from chassis.db.database import Database, Transaction
from chassis.db.filters import Fields, Values, beyond, bigints, condition, cursor_position
from chassis.errors import FieldError, NotFound, invalid, over_limit
from chassis.query.models import GroupedQuery, RichQuery

Row = dict[str, Any]
MAX_GROUPED_ROWS = 100_000
"""Rows in one answer that groups by parent: parents times page size."""


@dataclass(slots=True)
class Page:
    """One page: rows in the order asked, whether there is more on either side, and the total where it was asked for."""

    items: list[Row]
    has_next: bool
    has_previous: bool
    count: int | None = None


class Repository:
    """The rows of one resource."""

    noun: ClassVar[str]
    """What the business calls one row, in ASCII ("servico"): the name of its types."""
    label: ClassVar[str]
    """What a message calls one row ("serviço")."""
    table: ClassVar[str]
    source: ClassVar[str]
    """FROM: the table, joined to what its representation shows of others."""
    select: ClassVar[str]
    """The columns of the representation; the table's own id comes first."""
    row: ClassVar[Callable[..., Row]]
    """One row of `select` as its representation; a static method."""
    fields: ClassVar[Fields]
    locking: ClassVar[str] = "FOR UPDATE"
    """The lock that keeps a row's representation still."""
    references: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Foreign keys: constraint name to (field, the table that it refers to)."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The table's columns for the validated members of a body."""
        return dict(written)

    # -- reads -------------------------------------------------------------------------------------------------

    async def get(self, id: int) -> Row:
        """The row `id`. Raises NotFound."""
        rows = await self._rows(f"SELECT {self.select} FROM {self.source} WHERE {self._id} = %s", [id])
        if not rows:
            raise self.not_found(id)
        return rows[0]

    async def by_ids(self, ids: Sequence[int]) -> list[Row]:
        """The rows that exist among `ids`, in id order, in one statement."""
        if not ids:
            return []
        sql = f"SELECT {self.select} FROM {self.source} WHERE {self._id} = ANY(%s::bigint[]) ORDER BY {self._id}"
        return await self._rows(sql, [bigints(ids)])

    async def missing_references(self, written: Mapping[str, Any]) -> list[FieldError]:
        """Names each reference to nothing, as the foreign keys would if `written` could be stored."""
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

    async def page(self, query: RichQuery) -> Page:
        """The page a query asks for, in one statement. Raises Invalid for a cursor that is none of this ordering."""
        window = Window(self.fields, self._id, query)
        extras, extra_values = window.extras(self.source)
        values = list(extra_values)
        sql = f"SELECT {', '.join([self.select, *extras])} FROM {self.source} {window.clauses(values)}"
        rows = await self._fetcher(query)(sql, values)
        if rows:
            facts = rows[0][len(rows[0]) - len(extras) :]
        else:  # nothing to carry them: ask for them alone
            sql = f"SELECT {', '.join(extras)}"
            facts = (await self._fetcher(query)(sql, extra_values))[0] if extras else ()
        width = len(rows[0]) - len(extras) if rows else 0
        return window.page([self.row(*columns[:width]) for columns in rows], facts)

    async def pages_per_parent(self, query: GroupedQuery) -> list[tuple[int, Page]]:
        """A page for each parent id of `query.per`, once, in the order asked, in one statement."""
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
        found: dict[int, tuple[list[Row], Sequence[Any]]] = {}
        first_column = 1 + len(extras)
        for columns in await self._fetcher(query)(sql, values):
            rows, _ = found.setdefault(columns[0], ([], columns[1:first_column]))
            if columns[first_column] is not None:
                rows.append(self.row(*columns[first_column + 1 :]))
        return [(id, window.page(rows, facts)) for id, (rows, facts) in found.items()]

    # -- writes, inside the caller's transaction ---------------------------------------------------------------

    async def lock(self, transaction: Transaction, id: int) -> Row:
        """The row `id`, held until the transaction ends: nobody changes what it shows. Raises NotFound."""
        sql = f"SELECT {self.select} FROM {self.source} WHERE {self._id} = %s {self.locking}"
        return self._one(await transaction.fetch(sql, [id], args_row(self.row)), id)

    async def add(self, transaction: Transaction, written: Mapping[str, Any]) -> Row:
        """The new row, with what the database gave it. Raises Invalid for a reference to nothing."""
        values = self.stored(written)
        columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        sql = f"INSERT INTO {self.table} ({columns}) VALUES ({marks})"
        return (await self._write(transaction, sql, values))[0]

    async def change(self, transaction: Transaction, id: int, written: Mapping[str, Any]) -> Row:
        """The row as changed. Raises NotFound, and Invalid for a reference to nothing."""
        values = self.stored(written)
        changes = ", ".join(f"{column} = %s" for column in values)
        sql = f"UPDATE {self.table} SET {changes} WHERE id = %s"
        return self._one(await self._write(transaction, sql, values, id), id)

    async def remove(self, transaction: Transaction, id: int) -> None:
        """Deletes the row. Raises NotFound."""
        sql = f"DELETE FROM {self.table} WHERE id = %s RETURNING id"
        if not await transaction.fetch(sql, [id]):
            raise self.not_found(id)

    async def _write(self, transaction: Transaction, sql: str, stored: Mapping[str, Any], *more: Any) -> list[Row]:
        # The common table expression bears the table's own name, so that `source` and `select` read the new row.
        sql = f"WITH {self.table} AS ({sql} RETURNING *) SELECT {self.select} FROM {self.source}"
        try:
            return await transaction.fetch(sql, [*stored.values(), *more], args_row(self.row))
        except errors.ForeignKeyViolation as failure:
            field, referred = self.references[failure.diag.constraint_name or ""]
            raise invalid(field, "NOT_FOUND", f"{referred} {stored[field]} não existe") from failure

    # -- the rest ----------------------------------------------------------------------------------------------

    def not_found(self, id: int) -> NotFound:
        return NotFound(f"{self.label} {id} não existe")

    def _one(self, rows: list[Row], id: int) -> Row:
        if not rows:
            raise self.not_found(id)
        return rows[0]

    def _fetcher(self, query: RichQuery) -> Callable[[str, Values], Awaitable[list[Any]]]:
        """How the database is asked: searches have a share of it, and no more."""
        return self.database.search if query.is_search else self.database.fetch

    async def _rows(self, sql: str, values: Values) -> list[Row]:
        return await self.database.fetch(sql, values, args_row(self.row))

    @property
    def _id(self) -> str:
        return self.fields["id"].sql


class Window:
    """A query's filter, order, bounds and size as SQL, and the page that its rows are."""

    def __init__(self, fields: Fields, id_sql: str, query: RichQuery, scope: str = "") -> None:
        name = query.ordering.removeprefix("-")
        self.query, self.id_sql, self.key = query, id_sql, fields[name]
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
        """ORDER BY, turned round where the page is read from its end."""
        direction = " DESC" if self.descending != self.query.backward else ""
        return ", ".join(f"{sql}{direction}" for sql in dict.fromkeys((self.key.key, self.id_sql)))

    def clauses(self, values: Values) -> str:
        """WHERE, ORDER BY and LIMIT: one row more than the page, to know whether there is more."""
        values += self._values
        where = [self._where]
        if self.after:
            where.append(beyond(self.key, self.id_sql, self.after, "<" if self.descending else ">", values))
        if self.before:
            where.append(beyond(self.key, self.id_sql, self.before, ">" if self.descending else "<", values))
        return f"WHERE {' AND '.join(where)} ORDER BY {self.order} LIMIT {self.query.size + 1}"

    def extras(self, source: str) -> tuple[list[str], Values]:
        """Facts about the rows outside the page, as SQL expressions: any at or before `after`, any at or after
        `before`, and the count; only those that this query needs."""
        expressions: list[str] = []
        values: Values = []
        for position, side in (
            (self.after, ">=" if self.descending else "<="),
            (self.before, "<=" if self.descending else ">="),
        ):
            if position:
                values += self._values
                bound = beyond(self.key, self.id_sql, position, side, values)
                expressions.append(f"EXISTS (SELECT FROM {source} WHERE {self._where} AND {bound})")
        if self.query.count:
            values += self._values
            expressions.append(f"(SELECT count(*) FROM {source} WHERE {self._where})")
        return [f"{expression} AS extra_{n}" for n, expression in enumerate(expressions)], values

    def page(self, rows: list[Row], facts: Sequence[Any]) -> Page:
        """The page that `rows` and the facts of `extras` make."""
        remaining = iter(facts)
        any_before = next(remaining) if self.after else False
        any_after = next(remaining) if self.before else False
        count = next(remaining) if self.query.count else None
        more, rows = len(rows) > self.query.size, rows[: self.query.size]
        if self.query.backward:
            return Page(rows[::-1], has_next=any_after, has_previous=more or any_before, count=count)
        return Page(rows, has_next=more or any_after, has_previous=any_before, count=count)
