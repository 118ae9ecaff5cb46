"""Reads a request's header fields by RFC 9110, 5: several lines with one name are one field, and a list has parts."""

import re
from collections.abc import Sequence

PARTS = {separator: re.compile(rf'(?:[^"{separator}]+|"(?:[^"\\]+|\\.)*"?)+') for separator in ",;"}


def combined(lines: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields by their lower-case names. Lines of one name are joined with a comma; a field that may occur only once
    then has a value that is not valid."""
    fields = dict(lines)
    if len(fields) != len(lines):
        fields.clear()
        for name, value in lines:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def parts(value: str, separator: str) -> list[str]:
    """The parts of `value` between the separators that are outside of quoted strings. Blanks around a part are removed,
    and empty parts are left out."""
    found: list[str] = PARTS[separator].findall(value) if '"' in value else value.split(separator)
    return [part for one in found if (part := one.strip(" \t"))]


def parameter(part: str) -> tuple[str, str]:
    """A parameter's name in lower case, and its value without quotes. The value is empty when there is none."""
    name, _, value = part.partition("=")
    name, value = name.strip(" \t").lower(), value.strip(" \t")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name, value
