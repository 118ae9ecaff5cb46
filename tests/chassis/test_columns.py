"""The rows of a resource: what its model declares once is asked for, shown, filtered and ordered by."""

from typing import Any

from sqlalchemy import Text
from sqlmodel import Field, SQLModel, select

from chassis.db.columns import Rows
from chassis.db.models import id_field, instant_field, name_field, reference_field, table_parts, tables
from chassis.query.models import Id


class Base(SQLModel, registry=tables()):
    pass


class ShelfPublic(SQLModel):
    nome: str = name_field("Top")
    id: Id = id_field()


class Shelf(ShelfPublic, Base, table=True):
    __table_args__ = table_parts("shelf", ShelfPublic)


class BookWrite(SQLModel):
    titulo: str = name_field("Dom Casmurro", "titulo_busca")
    resumo: str | None = Field(default=None, sa_type=Text)
    shelf_id: Id = reference_field("shelf.id")


class BookPublic(SQLModel):
    id: Id
    titulo: str
    resumo: str | None
    shelf: ShelfPublic


class Book(BookWrite, Base, table=True):
    id: Id = id_field()
    added: Any = instant_field()

    __table_args__ = table_parts("book", BookWrite)


def said_of(rows: Rows) -> dict[str, tuple[str, str, str, bool]]:
    return {name: (field.kind, field.sql, field.folded, field.ordered) for name, field in rows.fields.items()}


def names(rows: Rows) -> str:
    return ", ".join(map(str, rows.select.selected_columns))


def test_a_table_alone_is_selected_with_the_id_first() -> None:
    rows = Rows(select(Shelf), ShelfPublic)

    assert names(rows) == "shelf.id, shelf.nome"
    assert rows.row(7, "Top") == {"id": 7, "nome": "Top"}
    assert said_of(rows) == {
        "id": ("id", "shelf.id", "", True),
        "nome": ("name", "shelf.nome", "shelf.nome_busca", True),
    }
    assert rows.folded == {"nome": "nome_busca"}
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
    assert said_of(rows) == {
        "id": ("id", "book.id", "", True),
        "titulo": ("name", "book.titulo", "book.titulo_busca", True),
        "shelf_id": ("id", "book.shelf_id", "", False),
        "added": ("instant", "book.added", "", True),
        "nome": ("name", "shelf.nome", "shelf.nome_busca", False),
    }
    assert [name for name, field in rows.fields.items() if field.parent] == ["shelf_id"]
    assert [name for name, field in rows.fields.items() if field.searched] == ["titulo"]
    assert {name: (field, table.name) for name, (field, table) in rows.references.items()} == {
        "book_shelf_id_fkey": ("shelf_id", "shelf")
    }
