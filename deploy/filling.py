"""Fills a template of `deploy/templates/` with words and lists of lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"


class Text(Template):
    """A template with `@name` where the standard library has `$name`, which compose.yaml needs for itself."""

    delimiter = "@"


def filled(template: str, words: Mapping[str, object], **lists: list[str]) -> str:
    """The template with these words. Each list is written line by line, indented like its place."""
    text = (TEMPLATES / template).read_text()
    for name, lines in lists.items():
        indented = r"\1{}\n" * len(lines)
        text = re.sub(rf"( *)@{name}\n", indented.format(*lines), text)
    return Text(text).substitute(words)
