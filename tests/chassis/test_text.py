"""The folded form by which names are searched and ordered."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.text import NAME_MAX, fold, is_visible

B_TREE_ENTRY = 2700
"""The approximate number of bytes that an entry of a B-tree can hold."""


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
        ("2ª via, 1º lugar, n° 3, nº 3, № 3", "2a via, 1o lugar, no 3, no 3, no 3"),
        ("D’Ávila D‘Ávila D´Ávila D`Ávila D′Ávila", "d'avila d'avila d'avila d'avila d'avila"),
        ("D`Avila", "d'avila"),
        ("“Boa” «Vista»", '"boa" "vista"'),
        ("Entrada – saída — Mogi‑Guaçu", "entrada - saida - mogi-guacu"),
        ("Łódź Øre Đuro Æsir Œuvre Þór Eiður Ħal Işıl", "lodz ore duro aesir oeuvre thor eidur hal isil"),
        ("Ｊｏｓé ① ½ ﬁ ²", "jose 1 1/2 fi 2"),
        ("\u00a0 Ana\u3000\tLima\u2003\u2028", "ana lima"),
        ("  Ana   Lima ", "ana lima"),
        ("in\u00advisí\u200bvel\ufeff ❤\ufe0f", "invisivel ❤"),
        ("\ufdfa", "صلعم"),
    ],
)
def test_what_is_typed_in_several_ways_folds_alike(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(some.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(some.text())
def test_composed_and_decomposed_text_fold_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


def test_each_character_keeps_these_promises() -> None:
    for char in map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]):
        folded = fold(char)
        alike = {folded, unicodedata.normalize("NFC", char), unicodedata.normalize("NFD", char)} - {char}
        assert all(fold(one) == folded for one in alike), ascii(char)
        assert NAME_MAX * len(folded.encode()) < B_TREE_ENTRY, ascii(char)


@given(some.text(), some.text())
def test_a_part_is_found_where_the_whole_has_it(before: str, part: str) -> None:
    assert fold(part) in fold(before + part)


@pytest.mark.parametrize(
    "text",
    ["\u200b", "\u2800", "\u3164", "\u115f\u1160", "\uffa0", "\u00ad", "\u0301", "\u0903", "\u20dd", "\ufe0f \u200d"],
)
def test_nothing_of_such_text_is_visible(text: str) -> None:
    assert not is_visible(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        ".",
        "-",
        "名",
        "ة",
        "한",
        "❤\ufe0f",
        "👩\u200d👩\u200d👧",
        "می\u200cخواهم",
        "क्\u200dष",
        "\U0001faea",
        "\ue000",
    ],
)
def test_text_of_any_script_and_emoji_are_visible(text: str) -> None:
    assert is_visible(text)


@given(some.text(some.characters(exclude_categories=["Cs"]), max_size=NAME_MAX))
def test_the_folded_form_of_any_name_fits_into_an_index(text: str) -> None:
    assert len(fold(text).encode()) < B_TREE_ENTRY
