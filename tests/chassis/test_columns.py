"""The columns of a table: what its model declares once is asked for, shown, filtered and ordered by."""

from typing import Any

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from chassis.db import filters
from chassis.db.columns import columns_of
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


def test_a_table_alone_is_selected_by_its_own_names_with_the_id_first() -> None:
    fields, select, row = columns_of(Shelf, ShelfPublic)

    assert select == "id, nome"
    assert row(7, "Top") == {"id": 7, "nome": "Top"}
    assert fields == {
        "id": filters.Field("integer", "id", ordered=True),
        "nome": filters.Field("name", "nome", folded="nome_busca", ordered=True),
    }


def test_a_row_of_another_table_is_shown_within_and_can_be_filtered_by_but_not_ordered() -> None:
    fields, select, row = columns_of(Book, BookPublic, shelf=(Shelf, ShelfPublic))

    assert select == "book.id, book.titulo, book.resumo, shelf.id, shelf.nome"
    assert row(1, "Dom Casmurro", None, 7, "Top") == {
        "id": 1,
        "titulo": "Dom Casmurro",
        "resumo": None,
        "shelf": {"id": 7, "nome": "Top"},
    }
    assert fields == {
        "id": filters.Field("integer", "book.id", ordered=True),
        "titulo": filters.Field("name", "book.titulo", folded="book.titulo_busca", ordered=True),
        "shelf_id": filters.Field("integer", "book.shelf_id", parent=True),
        "added": filters.Field("instant", "book.added", ordered=True),
        "nome": filters.Field("name", "shelf.nome", folded="shelf.nome_busca"),
    }
