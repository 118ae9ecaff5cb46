"""A request's header fields as RFC 9110, 5, reads them: several lines of one name are one, and lists have parts."""

import re
from collections.abc import Sequence

PARTS = {separator: re.compile(rf'(?:[^"{separator}]+|"(?:[^"\\]+|\\.)*"?)+') for separator in ",;"}


def combined(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields by name, in lower case. What may stand once only is, on two lines, a list that means nothing."""
    fields = dict(lines)
    if len(fields) != len(lines):
        fields.clear()
        for name, value in lines:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def parts(value: str, separator: str) -> list[str]:
    """What stands between separators that no quoted string holds, without blanks around it and what is empty."""
    found: list[str] = PARTS[separator].findall(value) if '"' in value else value.split(separator)
    return [part for one in found if (part := one.strip(" \t"))]


def parameter(part: str) -> tuple[str, str]:
    """A parameter's name in lower case, and its value, which may be quoted; empty where there is none."""
    name, _, value = part.partition("=")
    name, value = name.strip(" \t").lower(), value.strip(" \t")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name, value
