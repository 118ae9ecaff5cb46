"""The rows of one resource: every read and write of a collection, each as one SQL statement.

A service subclasses `Repository` and says what its rows are. A row is a plain dict with exactly the members of the REST
representation. Statements are made of the columns of the models, as SQLModel and SQLAlchemy write them, and run by
psycopg.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, ClassVar

from psycopg import errors
from sqlalchemy import Executable, Insert, Update, any_, bindparam, delete, insert, select, text, update

from chassis.db.columns import RowDict, Rows
from chassis.db.database import Database, Transaction
from chassis.db.pages import PageOfRows, Shape, Window, extras_alone, grouped_pages, page_ids, page_with_extras
from chassis.db.statements import AnySelect, Statement, bigint_array, compiled, text_and_values, tuples_of
from chassis.errors import FieldError, NotFound, invalid, over_limit
from chassis.query.models import GroupedQuery, RichQuery
from chassis.text import fold_or_none

MAX_GROUPED_ROWS = 100_000
"""The most rows in one answer that is grouped by parent: the number of parents times the page size."""


class Repository:
    """The rows of one resource."""

    noun: ClassVar[str]
    """The business's word for one row, in ASCII ("servico"). It names the OpenAPI types."""
    label: ClassVar[str]
    """The word for one row in messages ("serviço")."""
    rows: ClassVar[Rows]

    def __init__(self, database: Database) -> None:
        self.database = database

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        """The table's columns and values for the validated members of a body; a text brings its folded form."""
        folded = self.rows.folded.items()
        return {**written, **{form: fold_or_none(written[name]) for name, form in folded if name in written}}

    # -- reads -------------------------------------------------------------------------------------------------

    async def get(self, id: int) -> RowDict:
        """The row `id`. Raises NotFound."""
        return self._one(await self._read(_by_id, row_id=id), id)

    async def by_ids(self, ids: Sequence[int]) -> list[RowDict]:
        """The rows that exist among `ids`, in id order, in one statement."""
        return await self._read(_by_ids, ids=ids) if ids else []

    async def ask(self, question: AnySelect) -> list[tuple[Any, ...]]:
        """The rows of any `select()`, each as a tuple."""
        return await self.database.fetch(*text_and_values(question), tuples_of(question))

    async def find(self, question: AnySelect) -> list[RowDict]:
        """The representations of the rows of a `select()` that was made from `rows.select`."""
        return await self.database.fetch(*text_and_values(question), self.rows.row_factory)

    async def missing_references(self, written: Mapping[str, Any]) -> list[FieldError]:
        """An error for each reference in `written` to a row that does not exist, as the foreign keys would report if
        `written` could be stored."""
        return [
            FieldError(field, "NOT_FOUND", f"{referred.name} {written[field]} não existe")
            for field, referred in self.rows.references.values()
            if field in written and not await self.ask(select(referred.c.id).where(referred.c.id == written[field]))
        ]

    async def ids(self, query: RichQuery) -> tuple[list[int], bool]:
        """The first 5,000 ids that match the query's filter, in its order, and whether there are more."""
        found = [id for (id,) in await self._search(page_ids, Window(self.rows, query))]
        return found[: query.size], len(found) > query.size

    async def page(self, query: RichQuery) -> PageOfRows:
        """The page that a query asks for, in one statement. Raises Invalid for a cursor of another ordering."""
        window, width = Window(self.rows, query), self.rows.width
        found = await self._search(page_with_extras, window)
        extra_results: Sequence[Any] = ()
        if window.shape.has_extras:  # without rows the extra columns are missing: ask for them alone
            extra_results = found[0][width:] if found else (await self._search(extras_alone, window))[0]
            found = [columns[:width] for columns in found]
        return window.page(list(starmap(self.rows.row, found)), extra_results)

    async def pages_per_parent(self, query: GroupedQuery) -> list[tuple[int, PageOfRows]]:
        """A page for each distinct parent id of `query.per`, in the query's order; one statement."""
        ids = list(dict.fromkeys(query.per.ids))
        if len(ids) * query.size > MAX_GROUPED_ROWS:
            limit = MAX_GROUPED_ROWS // len(ids)
            end = "last" if query.backward else "first"
            raise over_limit(end, f"para {len(ids)} pais, no máximo {limit} itens por pai")
        window, width = Window(self.rows, query, query.per.field), self.rows.width
        window.values["parents"] = ids
        found: dict[int, tuple[list[RowDict], Sequence[Any]]] = {}
        for columns in await self._search(grouped_pages, window):
            rows, _ = found.setdefault(columns[0], ([], columns[1 : -width - 1]))
            if columns[-width - 1] is not None:  # the row's place among those of its parent
                rows.append(self.rows.row(*columns[-width:]))
        return [(id, window.page(rows, extra_results)) for id, (rows, extra_results) in found.items()]

    # -- writes, inside the caller's transaction ---------------------------------------------------------------

    async def lock(self, transaction: Transaction, id: int) -> RowDict:
        """The row `id`, locked until the transaction ends, so nobody can change its representation. Raises NotFound."""
        return self._one(await self._write(transaction, compiled(_locked, self.rows), {"row_id": id}), id)

    async def add(self, transaction: Transaction, written: Mapping[str, Any]) -> RowDict:
        """Inserts a row and returns it, with the values that the database set. Raises Invalid for a reference to a
        missing row."""
        values = self.stored(written)
        return (await self._write(transaction, compiled(_added, self.rows, *sorted(values)), values))[0]

    async def change(self, transaction: Transaction, id: int, written: Mapping[str, Any]) -> RowDict:
        """Changes a row and returns it. Raises NotFound, and Invalid for a reference to a missing row."""
        values = self.stored(written)
        statement = compiled(_changed, self.rows, *sorted(values))
        return self._one(await self._write(transaction, statement, {**values, "row_id": id}), id)

    async def remove(self, transaction: Transaction, id: int) -> None:
        """Deletes the row. Raises NotFound."""
        if not await transaction.fetch(*compiled(_removed, self.rows).bound(row_id=id)):
            raise self.not_found(id)

    async def _write(self, transaction: Transaction, statement: Statement, values: Mapping[str, Any]) -> list[RowDict]:
        try:
            return await transaction.fetch(*statement.bound(**values), self.rows.row_factory)
        except errors.ForeignKeyViolation as failure:
            field, referred = self.rows.references[failure.diag.constraint_name or ""]
            raise invalid(field, "NOT_FOUND", f"{referred.name} {values[field]} não existe") from failure

    # -- what reads and writes share ---------------------------------------------------------------------------

    def not_found(self, id: int) -> NotFound:
        return NotFound(f"{self.label} {id} não existe")

    def _one(self, rows: list[RowDict], id: int) -> RowDict:
        if not rows:
            raise self.not_found(id)
        return rows[0]

    async def _read(self, build: Callable[[Rows], AnySelect], **values: Any) -> list[RowDict]:
        return await self.database.fetch(*compiled(build, self.rows).bound(**values), self.rows.row_factory)

    async def _search(self, build: Callable[[Rows, Shape], AnySelect], window: Window) -> list[tuple[Any, ...]]:
        """Asks for what a window shows; searches use only some of the connections."""
        run = self.database.search if window.query.is_search else self.database.fetch
        return await run(*compiled(build, self.rows, window.shape).filled(**window.values))


def _by_id(rows: Rows) -> AnySelect:
    return rows.select.where(rows.id == bindparam("row_id"))


def _by_ids(rows: Rows) -> AnySelect:
    return rows.select.where(rows.id == any_(bigint_array("ids"))).order_by(rows.id)


def _locked(rows: Rows) -> AnySelect:
    """Nobody can change the row, nor the rows that are shown within it. SQLAlchemy renders only one locking clause by
    itself, so the second one is a suffix."""
    locked = _by_id(rows).with_for_update(of=rows.table)
    joined = ", ".join(table.name for table in rows.joined)
    return locked.suffix_with(text(f"FOR SHARE OF {joined}")) if joined else locked


def _added(rows: Rows, *columns: str) -> AnySelect:
    return _written(rows, insert(rows.table).values({name: bindparam(name) for name in columns}))


def _changed(rows: Rows, *columns: str) -> AnySelect:
    changes = update(rows.table).values({name: bindparam(name) for name in columns})
    return _written(rows, changes.where(rows.id == bindparam("row_id")))


def _written(rows: Rows, write: Insert | Update) -> AnySelect:
    """What is written, as its representation shows it: the common table expression has the table's own name, so that
    the select reads the new row."""
    return rows.select.add_cte(write.returning(*rows.table.c).cte(rows.table.name))


def _removed(rows: Rows) -> Executable:
    return delete(rows.table).where(rows.id == bindparam("row_id")).returning(rows.id)
