"""Writes the first draft of a new service: `python -m deploy.new_service fornecedores`, as `make service` does.

The name is a Portuguese plural, and the word for one row follows from it. The draft is a service whose rows have a
name: its models, its routes, its first migration, its line in topology.py, and its part of the gateway's schema.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from deploy import topology
from deploy.filling import filled
from deploy.migrate_all import write_new
from deploy.render import ROOT

TABLE = ROOT / "deploy" / "topology.py"
ENDINGS = {
    "oes": "ao",
    "aes": "ao",
    "ais": "al",
    "eis": "el",
    "ois": "ol",
    "res": "r",
    "zes": "z",
    "ses": "s",
    "ns": "m",
    "s": "",
}
"""How plurals end, and how their singulars do; the first that fits counts."""
FEMININE = ("a", "cao", "sao", "dade", "gem")


class RefusedName(Exception):
    """There can be no service with this name; the message says why."""


def singular(plural: str) -> str:
    """The word for one: `fornecedor` for `fornecedores`. Raises RefusedName if `plural` is none."""
    for ending, one in ENDINGS.items():
        if plural.endswith(ending):
            return plural.removesuffix(ending) + one
    raise RefusedName(f"{plural} is no plural, such as fornecedores")


def check(name: str) -> None:
    """Raises RefusedName if there can be no service called `name`."""
    if not re.fullmatch(r"[a-z]{3,30}", name):
        raise RefusedName(f"{name!r} is not a name of 3 to 30 small letters from a to z, such as fornecedores")
    noun = singular(name).capitalize()
    if name in {process.name for process in topology.PROCESSES}:
        raise RefusedName(f"there is a service {name} already")
    if re.search(rf"^(type|input|enum|scalar) {noun}\b", (ROOT / "gateway" / "schema.graphql").read_text(), re.M):
        raise RefusedName(f"the gateway has a type {noun} already")
    for place in (ROOT / name, ROOT / "gateway" / "schema" / f"{name}.py"):
        if place.exists():
            raise RefusedName(f"{place.relative_to(ROOT)} exists already")
    if find_spec(name):
        raise RefusedName(f"{name} is the name of an installed Python module")


def draft(name: str) -> list[Path]:
    """Writes the draft, and returns its files. Raises RefusedName before anything is written."""
    check(name)
    noun = singular(name)
    article = "a" if noun.endswith(FEMININE) else "o"
    words = {"name": name, "noun": noun, "Name": name.capitalize(), "Noun": noun.capitalize()}
    words |= {"article": article, "Article": article.upper()}
    folder, schema = ROOT / name, ROOT / "gateway" / "schema" / f"{name}.py"
    (folder / "migrations").mkdir(parents=True)
    try:
        for file, template in ((folder / "models.py", "models"), (folder / "routes.py", "routes"), (schema, "schema")):
            file.write_text(filled(f"service/{template}.py.txt", words))
        migrations = write_new(name, "tables")
    except BaseException:  # nothing is left of a draft that could not be finished
        shutil.rmtree(folder)
        schema.unlink(missing_ok=True)
        raise
    TABLE.write_text(with_service(TABLE.read_text(), name, free_port()))
    return [folder / "models.py", folder / "routes.py", *migrations, schema, TABLE]


def free_port() -> int:
    return max(topology.POSTGRES_PORT, *(process.port for process in topology.PROCESSES)) + 1


def with_service(table: str, name: str, port: int) -> str:
    """The text of topology.py with another service, after all others."""
    begin = table.index("SERVICES = (\n")
    end = table.index("\n)\n", begin)
    return f'{table[:end]}\n    Process("{name}", {port}),{table[end:]}'


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.new_service", description=__doc__)
    parser.add_argument("name", help="a Portuguese plural in small letters, such as fornecedores")
    name = parser.parse_args().name
    try:
        written = draft(name)
    except RefusedName as refused:
        sys.exit(str(refused))
    for file in written:
        print(f"wrote {file.relative_to(ROOT)}")
    print(
        f"This is a draft of {name}, with rows called {singular(name)}: correct its words and give it its fields "
        "(docs/extending.md, Add a service). Then run `make render`."
    )


if __name__ == "__main__":
    main()
