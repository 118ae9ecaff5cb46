"""Text as this system compares it: one folded form for search and for order, and the type of a name."""

import unicodedata
from typing import Annotated

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


Name = Annotated[
    str,
    StringConstraints(
        strict=True,
        strip_whitespace=True,
        min_length=1,
        max_length=NAME_MAX,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
    ),
    # JSON Schema cannot say "after trimming"; this says what it can: something visible, no control character.
    Field(
        json_schema_extra={
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
        }
    ),
]
"""A name: 1 to 100 characters after trimming, any Unicode but control characters."""
