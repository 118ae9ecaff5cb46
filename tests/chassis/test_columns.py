"""The rows of a resource: what its model declares once is asked for, shown, filtered and ordered by."""

from typing import Any

from sqlalchemy import Text
from sqlmodel import Field, SQLModel, select

from chassis.db import filters
from chassis.db.columns import Rows
from chassis.db.models import folded_column, id_field, instant_field, name_field, reference_field, tables
from chassis.query.models import Id


class Base(SQLModel, registry=tables()):
    pass


class ShelfPublic(SQLModel):
    nome: str = name_field()
    id: Id = id_field()


class Shelf(ShelfPublic, Base, table=True):
    nome_busca: str = folded_column()


class BookWrite(SQLModel):
    titulo: str = name_field("titulo_busca")
    resumo: str | None = Field(default=None, sa_type=Text)
    shelf_id: Id = reference_field("shelf.id")


class BookPublic(SQLModel):
    id: Id
    titulo: str
    resumo: str | None
    shelf: ShelfPublic


class Book(BookWrite, Base, table=True):
    id: Id = id_field()
    titulo_busca: str = folded_column()
    added: Any = instant_field()


def names(rows: Rows) -> str:
    return ", ".join(map(str, rows.select.selected_columns))


def test_a_table_alone_is_selected_with_the_id_first() -> None:
    rows = Rows(select(Shelf), ShelfPublic)

    assert names(rows) == "shelf.id, shelf.nome"
    assert rows.row(7, "Top") == {"id": 7, "nome": "Top"}
    assert rows.fields == {
        "id": filters.Field("integer", "shelf.id", ordered=True),
        "nome": filters.Field("name", "shelf.nome", folded="shelf.nome_busca", ordered=True),
    }
    assert rows.references == {}


def test_a_row_of_another_table_is_shown_within_and_can_be_filtered_by_but_not_ordered() -> None:
    rows = Rows(select(Book, Shelf).join(Shelf), BookPublic)

    assert names(rows) == "book.id, book.titulo, book.resumo, shelf.id, shelf.nome"
    assert rows.row(1, "Dom Casmurro", None, 7, "Top") == {
        "id": 1,
        "titulo": "Dom Casmurro",
        "resumo": None,
        "shelf": {"id": 7, "nome": "Top"},
    }
    assert rows.fields == {
        "id": filters.Field("integer", "book.id", ordered=True),
        "titulo": filters.Field("name", "book.titulo", folded="book.titulo_busca", ordered=True),
        "shelf_id": filters.Field("integer", "book.shelf_id", parent=True),
        "added": filters.Field("instant", "book.added", ordered=True),
        "nome": filters.Field("name", "shelf.nome", folded="shelf.nome_busca"),
    }
    assert {name: (field, table.name) for name, (field, table) in rows.references.items()} == {
        "book_shelf_id_fkey": ("shelf_id", "shelf")
    }
