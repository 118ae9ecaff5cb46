"""Reads the query string of a URL as names and texts."""

from urllib.parse import parse_qsl


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """The names and texts of a query string, in order. Bytes that are not UTF-8 become lone surrogates, which `is_text`
    detects. The usual replacement U+FFFD would silently change what is asked for."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")


def is_text(text: str) -> bool:
    """Whether `text` was valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
