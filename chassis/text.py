"""Text as this system compares it: one folded form for search and for order, and the type of a name."""

import unicodedata
from typing import Annotated, Any

from pydantic import Field, StringConstraints

NAME_MAX = 100


def fold(text: str) -> str:
    """`text` without case and accents: what `search`, `contains` and ordering by name compare.

    Computed here and stored beside the name, so that every PostgreSQL, whatever its locale, searches and orders
    alike (bytewise on this form). Canonical decomposition (NFD) only: compatibility forms can grow one character
    to eighteen, more than an index entry holds.
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


# JSON Schema cannot say "after trimming", but a pattern can: spaces around, and between them 1 to 100 characters that
# are no control characters, the first and the last of them visible. Spaces are Unicode's White_Space:
# ECMA's own class differs in U+0085 and U+FEFF.
_BLANK = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_AROUND, _VISIBLE = rf"[\t-\r\u0085{_BLANK}]*", f"[^{_BLANK}{_CONTROL}]"
NAME_PATTERN = f"^{_AROUND}{_VISIBLE}([^{_CONTROL}]{{0,{NAME_MAX - 2}}}{_VISIBLE})?{_AROUND}$"


def _described(schema: dict[str, Any]) -> None:
    schema["pattern"] = NAME_PATTERN
    schema["description"] = f"1 to {NAME_MAX} characters after trimming, none of them a control character."
    del schema["maxLength"]


Name = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        min_length=1,
        max_length=NAME_MAX,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
    ),
    Field(json_schema_extra=_described),
]
"""A name: 1 to 100 characters after trimming, any Unicode but control characters."""
