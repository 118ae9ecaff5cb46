"""What stands behind the question mark, as names and texts."""

from urllib.parse import parse_qsl


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """Names and texts of a query string, in its order. What is no UTF-8 is kept as lone surrogates, which `is_text`
    finds: replaced by U+FFFD, as is usual, it would ask for something else."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")


def is_text(text: str) -> bool:
    """Whether it was UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
