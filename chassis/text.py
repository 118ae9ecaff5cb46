"""Text as this system compares it: one folded form for search and for order, and the type of a name."""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from chassis.errors import InvalidValue

NAME_MAX = 100
FOLD_VERSION = 2
"""Of what `fold` does. Another one needs a migration that folds anew what is stored (`chassis.db.folding`)."""
TEXT_MAX = 200
"""Letters of a text that is looked for."""

_MAX_DECOMPOSED = 4
"""Characters that one character of composed text (NFC) can be written as, at most."""

_IGNORED = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Unicode's Default_Ignorable_Code_Point: joiners, selectors, fillers."""
_EMPTY = "\u2800\U0001d159"
"""Symbols that show nothing: Braille without dots, a note without a head."""
_IS_IGNORED = re.compile(f"[{_IGNORED}]")

# What has no decomposition, or one that is not what a reader sees.
_LOOKALIKES = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t",
        "ŋ": "n", "ĸ": "k",
        **dict.fromkeys("°˚", "o"),  # typed for º
        **dict.fromkeys("`´‘’‚‛′‵ʹʻʼʽˈˊˋ᾽᾿῾", "'"),
        **dict.fromkeys("“”„‟«»″‶", '"'),
        **dict.fromkeys("‐‑‒–—―−⁃", "-"),
        "⁄": "/",  # of ½
        "\ufdfa": "\u0635\u0644\u0639\u0645",  # abbreviated: of its eighteen letters an index entry holds too few
        **dict.fromkeys(_EMPTY, " "),
    }
)  # fmt: skip


class _FoldTable(dict[int, str]):
    """The folded form of each character, found when it is first met. No character's depends on those around it."""

    MAX_CACHED = 10_000
    """That are remembered: there are a million."""

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
    """`text` as one looks for it: what `search`, `contains`, `starts_with` and ordering by name compare.

    Without case, accents and what is invisible; compatibility forms (`ª`, `①`, full width), letters with a stroke,
    quotes and dashes as the plain characters that are typed for them; white space trimmed, each run of it one space.

    Computed here and stored beside the name, so that every PostgreSQL, whatever its locale, searches and orders
    alike (bytewise on this form). Folding twice changes nothing more. Whoever changes it raises FOLD_VERSION.
    """
    folded = text.lower().replace("`", "'") if text.isascii() else text.translate(_FOLD_TABLE)
    return " ".join(folded.split())


def nfc(text: str) -> str:
    """`text` as it is stored and compared: `é` is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


def compose(text: str, max_length: int) -> str:
    """`text` in NFC. Raises InvalidValue when it has more than `most` characters then."""
    # One that is much too long is not composed first: that takes quadratic time where marks are in disorder.
    composed = nfc(text) if len(text) <= _MAX_DECOMPOSED * max_length else text
    if len(composed) > max_length:
        raise InvalidValue("TOO_LONG", f"deve ter no máximo {max_length} caracteres")
    return composed


def is_visible(text: str) -> bool:
    """Whether anything of it can be seen: no spaces, marks, controls and formats alone."""
    return any(
        # Unassigned (Cn) may be an emoji that is newer than our tables, and private use (Co) somebody's letter.
        (unicodedata.category(char)[0] not in "ZMC" or unicodedata.category(char) in ("Cn", "Co"))
        and char not in _EMPTY
        and not _IS_IGNORED.match(char)
        for char in text
    )


def _name(text: str) -> str:
    composed = compose(text, NAME_MAX)
    if not composed.isascii() and not is_visible(composed):
        raise InvalidValue("BLANK", "não pode ficar em branco")
    return composed


# JSON Schema cannot say "after trimming", but a pattern can: spaces around, and between them 1 to 100 characters that
# are no control characters, the first and the last of them no spaces. Spaces are Unicode's White_Space:
# ECMA's own class differs in U+0085 and U+FEFF. NFC, and that something is visible, only the description can say.
_BLANK = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_AROUND, _VISIBLE = rf"[\t-\r\u0085{_BLANK}]*", f"[^{_BLANK}{_CONTROL}]"
NAME_PATTERN = f"^{_AROUND}{_VISIBLE}([^{_CONTROL}]{{0,{NAME_MAX - 2}}}{_VISIBLE})?{_AROUND}$"


def _described(schema: dict[str, Any]) -> None:
    schema["pattern"] = NAME_PATTERN
    schema["description"] = (
        f"1 to {NAME_MAX} characters in NFC after trimming, none of them a control character and at least one visible."
    )


Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
    AfterValidator(_name),
    Field(json_schema_extra=_described),
]
"""A name, in NFC: 1 to 100 characters after trimming, any Unicode but control characters, something of it visible."""

SearchText = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[^\x00]*$"),
    AfterValidator(lambda text: compose(text, TEXT_MAX)),
    Field(json_schema_extra={"maxLength": TEXT_MAX}),
]
"""A name, or a part of one, to look for, in NFC."""
