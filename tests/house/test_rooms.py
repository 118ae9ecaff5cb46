"""The folders of the code: no import cycle between files, no module named like one of the standard library, and no name
that was given up."""

import ast
import re
import sys
from pathlib import Path

import pytest

from deploy import topology
from deploy.local import ROOT

SERVICES = [service.name for service in topology.SERVICES]
PRODUCT = ("chassis", "gateway", "deploy", *SERVICES)
THE_DOMAINS_OWN = {"gateway.schema"}
"""A solicitacao has a pessoa, and a pessoa solicitacoes: the types of the domain refer to one another."""
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for folder in PRODUCT
    for file in sorted((ROOT / folder).rglob("*.py"))
    if not {"node_modules", "migrations", ".venv"} & set(file.parts)
}


def imported(file: Path) -> set[str]:
    """Modules of ours that `file` imports, for the type checker alone too."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def circles() -> list[list[str]]:
    """Modules that lead back to themselves, by whom they import."""
    leads = {name: imported(file) for name, file in MODULES.items()}

    def reached(name: str) -> set[str]:
        seen, waiting = set[str](), list(leads[name])
        while waiting:
            if (one := waiting.pop()) not in seen:
                seen.add(one)
                waiting += leads[one]
        return seen

    reaches = {name: reached(name) for name in leads}
    return [sorted({one for one in reaches[name] if name in reaches[one]}) for name in leads if name in reaches[name]]


def test_no_files_import_each_other_in_a_circle_but_the_domain_s_own_types() -> None:
    strange = [circle for circle in circles() if not all(name.startswith(tuple(THE_DOMAINS_OWN)) for name in circle)]

    assert strange == []


def test_no_module_bears_a_name_of_the_standard_library() -> None:
    taken = sys.stdlib_module_names - {"__main__", "__future__"}
    files = [*MODULES.values(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    files = [file for file in files if "node_modules" not in file.parts]

    assert [str(file.relative_to(ROOT)) for file in files if file.stem in taken or file.parent.name in taken] == []


@pytest.mark.parametrize("room", sorted({file.parent for file in (ROOT / "chassis").rglob("*.py")}))
def test_every_room_of_the_chassis_says_at_its_door_what_it_is_for(room: Path) -> None:
    if room.name == "alembic" or "migrations" in room.parts:
        return
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""

    assert re.fullmatch(r"[A-Z].*\.", said), "one sentence"


@pytest.mark.parametrize("file", sorted((ROOT / "chassis").rglob("*.py")), ids=lambda file: file.name)
def test_the_chassis_names_no_service_and_no_graphql(file: Path) -> None:
    names = re.findall("|".join((*SERVICES, "graphql", "strawberry")), file.read_text(), re.IGNORECASE)

    assert names == []


GIVEN_UP = {
    "a class named by a participle, not by its role": (
        "Identified Limited Keyed Described Answering Arriving Answered Receiving Executed Compiled Held Changed Shown "
        "Below Counted Joined Nested Refused Lost Garbled TimedOut"
    ),
    "a poet's word where the field has one": (
        "leash earn note turn give_up give_way turn_away hold let_go within steering"
    ),
    "a word that stood for several things": (
        "Asked Written LeanWire HttpxWire WireError Texts Pricer OfSchema LinkRead Place"
    ),
}


@pytest.mark.parametrize("why", GIVEN_UP)
def test_names_that_were_given_up_stay_away(why: str) -> None:
    given_up = GIVEN_UP[why].split()
    found: list[str] = []
    for module, file in MODULES.items():
        tree = ast.parse(file.read_text())
        defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        defined |= {
            node.targets[0].id
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        defined.add(file.stem)
        found += [f"{module}: {name}" for name in given_up if {name, f"_{name}"} & defined]

    assert found == []


OF_THE_DOMAIN = {"Categoria", "Pessoa", "Produto", "Servico", "Solicitacao"}
"""A row, a type of the schema and a table of the same thing."""


def test_a_class_of_the_chassis_and_of_the_gateway_shares_its_name_with_no_other() -> None:
    places: dict[str, list[str]] = {}
    for module, file in MODULES.items():
        if module.startswith(("chassis", "gateway", "deploy")):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef) and node.name not in OF_THE_DOMAIN:
                    places.setdefault(node.name, []).append(module)

    assert {name: modules for name, modules in places.items() if len(modules) > 1} == {}
