"""The folded form by which names are searched and ordered."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.text import NAME_MAX, fold

B_TREE_ENTRY = 2700
"""Bytes that an entry of a B-tree holds, about."""


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("João", "joao"),
        ("CONCEIÇÃO", "conceicao"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Ångström", "angstrom"),
        ("e\u0301", "e"),
        ("名前", "名前"),
        ("O'Neil 42", "o'neil 42"),
    ],
)
def test_case_and_accents_are_folded_away(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(some.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(some.text())
def test_composed_and_decomposed_text_fold_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


@given(some.text(some.characters(exclude_categories=["Cs"]), max_size=NAME_MAX))
def test_the_folded_form_of_any_name_fits_into_an_index(text: str) -> None:
    assert len(fold(text).encode()) < B_TREE_ENTRY
