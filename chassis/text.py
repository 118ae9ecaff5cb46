"""How this system compares text: one folded form for search and for order, and the type of a name."""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from chassis.errors import InvalidValue

NAME_MAX = 100
FOLD_VERSION = 2
"""The version of `fold`. A change of `fold` needs a new version and a migration that folds the stored names again
(`chassis.db.folding`)."""
TEXT_MAX = 200
"""The longest text that can be searched for, in characters."""

_MAX_DECOMPOSED = 4
"""The most characters that one character of composed text (NFC) can be decomposed into."""

_IGNORED = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's Default_Ignorable_Code_Point: joiners, selectors, fillers."""
_EMPTY = "\u2800\U0001d159"
"""Symbols that show nothing: a Braille pattern without dots, and a musical note without a head."""
_IS_IGNORED = re.compile(f"[{_IGNORED}]")

# What takes the place of characters that Unicode does not decompose, or decomposes into something else than a reader
# sees.
_LOOKALIKES = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t",
        "ŋ": "n", "ĸ": "k",
        **dict.fromkeys("°˚", "o"),  # often typed instead of º
        **dict.fromkeys("`´‘’‚‛′‵ʹʻʼʽˈˊˋ᾽᾿῾", "'"),
        **dict.fromkeys("“”„‟«»″‶", '"'),
        **dict.fromkeys("‐‑‒–—―−⁃", "-"),
        "⁄": "/",  # the slash inside of ½
        # abbreviated, since its eighteen letters would not fit into an index entry
        "\ufdfa": "\u0635\u0644\u0639\u0645",
        **dict.fromkeys(_EMPTY, " "),
    }
)  # fmt: skip


class _FoldTable(dict[int, str]):
    """The folded form of each character, computed when it is first needed. The form of a character does not depend on
    its neighbours."""

    MAX_CACHED = 10_000
    """How many characters are kept, of the million that exist."""

    def __missing__(self, code: int) -> str:
        text = unicodedata.normalize("NFD", chr(code)).translate(_LOOKALIKES)
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
        shown = [char for char in text if not unicodedata.combining(char) and not _IS_IGNORED.match(char)]
        folded = "".join(shown).translate(_LOOKALIKES)
        if len(self) < self.MAX_CACHED:
            self[code] = folded
        return folded


_FOLD_TABLE = _FoldTable()


def fold(text: str) -> str:
    """The folded form of `text`, which `search`, `contains`, `starts_with` and ordering by name compare.

    It has no case, no accents and no invisible characters. Compatibility forms (`ª`, `①`, full width), letters with a
    stroke, quotes and dashes become the plain characters that people type for them. White space is trimmed, and each
    run of it becomes one space.

    It is computed here and stored beside the name. PostgreSQL compares this form byte by byte, so search and order are
    the same on every server, whatever its locale. Folding twice gives the same as folding once. A change of this
    function needs a new FOLD_VERSION.
    """
    folded = text.lower().replace("`", "'") if text.isascii() else text.translate(_FOLD_TABLE)
    return " ".join(folded.split())


def fold_or_none(text: str | None) -> str | None:
    return None if text is None else fold(text)


def nfc(text: str) -> str:
    """The form in which text is stored and compared (NFC): `é` is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


def compose(text: str, max_length: int) -> str:
    """`text` in NFC. Raises InvalidValue when that has more than `max_length` characters."""
    # A text that is much too long is not composed. Composing takes quadratic time when many combining marks must be
    # sorted.
    composed = nfc(text) if len(text) <= _MAX_DECOMPOSED * max_length else text
    if len(composed) > max_length:
        raise InvalidValue("TOO_LONG", f"deve ter no máximo {max_length} caracteres")
    return composed


def is_visible(text: str) -> bool:
    """Whether any character can be seen, that is, not only spaces, marks, controls and formats."""
    return any(
        # An unassigned character (Cn) may be an emoji newer than our tables, and a private one (Co) may be somebody's
        # letter.
        (unicodedata.category(char)[0] not in "ZMC" or unicodedata.category(char) in ("Cn", "Co"))
        and char not in _EMPTY
        and not _IS_IGNORED.match(char)
        for char in text
    )


def valid_text(text: str, max_length: int) -> str:
    """`text` in NFC. Raises InvalidValue when that is longer than `max_length`, or shows nothing."""
    composed = compose(text, max_length)
    if not composed.isascii() and not is_visible(composed):
        raise InvalidValue("BLANK", "não pode ficar em branco")
    return composed


# JSON Schema cannot say "after trimming", but a pattern can: spaces at both ends, and between them 1 to 100 characters
# without control characters, of which the first and the last are not spaces. "Spaces" are Unicode's White_Space, since
# ECMA's own class differs in U+0085 and U+FEFF. Only the description can say that the name is in NFC and that something
# of it is visible.
_BLANK = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_AROUND, _VISIBLE = rf"[\t-\r\u0085{_BLANK}]*", f"[^{_BLANK}{_CONTROL}]"


LAST_CHARACTER = "\U0010ffff"
"""Unicode's last code point, which never becomes a character. Optional texts may not have it, since it takes the place
of null where they are ordered."""


def describe_text(max_length: int, but: str = "") -> Callable[[dict[str, Any]], None]:
    """Makes the function that adds to the JSON schema of a text what `text_constraints` and `valid_text` ask of it."""
    pattern = f"^{_AROUND}{_VISIBLE}([^{_CONTROL}]{{0,{max(max_length - 2, 0)}}}{_VISIBLE})?{_AROUND}$"

    def describe(schema: dict[str, Any]) -> None:
        schema["pattern"] = pattern.replace(_CONTROL, _CONTROL + but)
        said = f"1 to {max_length} characters in NFC after trimming, "
        said += "none of them a control character and at least one visible."
        schema["description"] = f"{schema['description']} {said}" if "description" in schema else said

    return describe


def text_constraints(but: str = "") -> StringConstraints:
    """A text that is not empty after trimming, without control characters and without the characters of `but`."""
    pattern = rf"^[^\x00-\x1f\x7f-\x9f{but}]*$"
    return StringConstraints(strict=True, strip_whitespace=True, min_length=1, pattern=pattern)


Name = Annotated[
    str,
    text_constraints(),
    AfterValidator(lambda text: valid_text(text, NAME_MAX)),
    Field(json_schema_extra=describe_text(NAME_MAX)),
]
"""A name in NFC: 1 to 100 characters after trimming, without control characters, at least one of them visible."""

SearchText = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[^\x00]*$"),
    AfterValidator(lambda text: compose(text, TEXT_MAX)),
    Field(json_schema_extra={"maxLength": TEXT_MAX}),
]
"""A name or a part of one to search for, in NFC."""
