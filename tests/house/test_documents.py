"""The documents tell the truth: their examples are run in order against a running system, and what they name exists.

CONTRIBUTING.md says how to write an example; this is the same rule as a program:

- a `bash` block that begins with `curl` or with `NAME=$(curl`, and every `graphql` block, is sent, in order; the `json`
  or `http` block after it is its answer: the same members with the same values;
- `NAME=$(curl … | id_de)` keeps the id of the answer, and `$NAME`, outside of single quotes, is it from then on;
- an instant, an ETag, a trace id or an epoch matches any other, and a row that is created may get another id than the
  document shows: later answers then have that one, but nobody mends a question;
- `<!-- not run -->` before a block says that it is only shown.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from chassis import codes
from chassis.db import metrics
from chassis.db.revisions import head
from chassis.errors import Refusal
from chassis.observe.meters import REGISTRY
from chassis.serve import application
from chassis.settings import ProcessSettings
from chassis.web import cors
from chassis.web.validation import MESSAGES
from deploy import databases
from deploy.topology import PROCESSES, SERVICES
from gateway import errors as gateway_errors
from gateway.schema.codes import PAYLOADS
from tests.house.test_house import tracked
from tests.system import System

ROOT = Path(__file__).resolve().parents[2]
README, LEIAME = ROOT / "README.md", ROOT / "LEIAME.md"
DOCS = ROOT / "docs"
INDEX, REST, GRAPHQL, CONFIGURATION, OPERATIONS = (
    DOCS / f"{name}.md" for name in ("README", "rest", "graphql", "configuration", "operations")
)
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
BETWEEN = [
    *sorted(set(ROOT.glob("*.md")) - {README, LEIAME}),
    *sorted(DOCS.rglob("*.md")),
    ROOT / "gateway" / "playground" / "README.md",
]
DOCUMENTS = [README, *BETWEEN, LEIAME]
"""Every page, in the order in which they are followed: LEIAME.md, which changes most, comes last."""

FENCE = re.compile(r"^(?P<shown_only><!-- not run -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
ENVIRONMENT = re.compile(r'\b(?:environ|variables)(?:\.get\(|\[)"([A-Z][A-Z_]+)"')
NOT_OURS = {"PGTZ", "PATH"}

KEPT = re.compile(r"([A-Z]+)=\$\((curl .*) \| id_de\)\n", re.S)
VARIABLE = re.compile(r"'[^']*'|\$([A-Z]+)")

EPOCH = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FORMS = (
    re.compile(rf"{EPOCH}(:\d+)?"),  # an epoch, or a position in one
    re.compile(rf"[a-z]+:{EPOCH}:\d+(,[a-z]+:{EPOCH}:\d+)*"),  # the gateway's cursor of a change, or its `posicao`
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),  # an instant
    re.compile(r'"[\w-]{20}"'),  # an ETag
    re.compile(r"[0-9a-f]{32}"),  # a trace id
)


@dataclass(frozen=True)
class Block:
    """One fenced block; `shown_only` by the comment line before it."""

    shown_only: bool
    language: str
    text: str

    @property
    def asks(self) -> bool:
        begins = re.match(r"([A-Z]+=\$\()?curl ", self.text)
        return self.language == "graphql" or (self.language == "bash" and bool(begins))

    @property
    def answers(self) -> bool:
        return self.language in ("json", "http") and not self.shown_only


@dataclass
class Reader:
    """Somebody who types what a document shows; `ids` are the ids that this system gave instead of the document's, and
    `variables` those of the shell."""

    offset: int
    ids: dict[str, str] = field(default_factory=dict[str, str])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def local(self, text: str) -> str:
        """`text` with this system's ports."""
        return re.sub(r"localhost:(80\d\d)", lambda port: f"localhost:{int(port[1]) + self.offset}", text)

    def adapt(self, text: str) -> str:
        """What is shown, with the ids that this system gave."""
        return re.sub(r"(?<![\w.-])\d+(?![\w-])", lambda number: self.ids.get(number[0], number[0]), text)

    def send(self, block: Block) -> httpx2.Response:
        text = self.local(block.text)
        if block.language == "graphql":
            url = f"http://localhost:{8000 + self.offset}/graphql"
            request = httpx2.Request("POST", url, json={"query": text}, headers={"Accept": "*/*"})
        else:
            request = curl(VARIABLE.sub(lambda one: self.variables[one[1]] if one[1] else one[0], command(text)))
        with httpx2.Client(trust_env=False, timeout=30) as client:
            response = client.send(request)
        if block.language == "bash" and (kept := KEPT.fullmatch(block.text)):
            self.variables[kept[1]] = str(response.json()["id"])
        return response

    def check(self, question: Block, answer: Block) -> None:
        """Sends what `question` shows and compares with what `answer` shows."""
        response = self.send(question)
        head, _, shown = answer.text.partition("\n\n") if answer.language == "http" else ("", "", answer.text)
        found: Any = response.json() if response.content else None
        if response.status_code == 201 or "mutation {" in question.text:
            self._learn(json.loads(shown), found)
        if head:
            status, *headers = self.adapt(head).splitlines()
            assert status.split()[1] == str(response.status_code), f"{question.text}{response.text}"
            for line in headers:
                name, _, value = line.partition(": ")
                assert same(response.headers.get(name), value, name) == []
        wrong = same(found, json.loads(self.adapt(shown)) if shown.strip() else None, "")
        assert wrong == [], f"\n{question.text}is answered with\n{response.text}"

    def _learn(self, shown: Any, found: Any) -> None:
        if isinstance(shown, list) and isinstance(found, list):
            for one, other in zip(cast("list[Any]", shown), cast("list[Any]", found), strict=False):
                self._learn(one, other)
        if isinstance(shown, dict) and isinstance(found, dict):
            there = cast("dict[str, Any]", found)
            for name, value in cast("dict[str, Any]", shown).items():
                if name == "id" and name in there:
                    self.ids[str(value)] = str(there[name])
                self._learn(value, there.get(name))


def same(found: Any, shown: Any, where: str) -> list[str]:
    """Where `found` is not what a document shows."""
    if isinstance(found, dict) and isinstance(shown, dict):
        ours, theirs = cast("dict[str, Any]", found), cast("dict[str, Any]", shown)
        wrong = [f"{where}.{name} is only on one side" for name in sorted(ours.keys() ^ theirs.keys())]
        both = ours.keys() & theirs.keys()
        return wrong + [one for name in both for one in same(ours[name], theirs[name], f"{where}.{name}")]
    if isinstance(found, list) and isinstance(shown, list):
        rows, others = cast("list[Any]", found), cast("list[Any]", shown)
        if len(rows) != len(others):
            return [f"{where} has {len(rows)} items, not {len(others)}"]
        return [one for n, row in enumerate(rows) for one in same(row, others[n], f"{where}[{n}]")]
    if found == shown:
        return []
    if (
        isinstance(found, str)
        and isinstance(shown, str)
        and any(f.fullmatch(found) and f.fullmatch(shown) for f in FORMS)
    ):
        return []
    return [f"{where} is {found!r}, not {shown!r}"]


def command(text: str) -> str:
    """The curl command line of a block, which may keep in a variable what it answers."""
    kept = KEPT.fullmatch(text)
    return kept[2] if kept else text


def curl(command: str) -> httpx2.Request:
    """The request that this curl command line sends. It is read here, since a fresh Debian has no curl."""
    words = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    words.whitespace_split = True
    program, *arguments = words
    assert program == "curl"
    assert not any(re.fullmatch(r"[();<>|&]+", word) for word in arguments), f"the shell would see more: {command}"
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("--json")
    parser.add_argument("--data-urlencode", dest="parameter")
    parser.add_argument("-G", dest="get", action="store_true")
    parser.add_argument("-i", dest="include", action="store_true")
    parser.add_argument("-s", dest="silent", action="store_true")
    parser.add_argument("url")
    given = parser.parse_args(arguments)
    headers = {"accept": "*/*"}
    if given.data is not None:
        headers["content-type"] = "application/x-www-form-urlencoded"
    if given.json is not None:
        headers |= {"content-type": "application/json", "accept": "application/json"}
    for line in cast("list[str]", given.headers):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body: str | None = given.data if given.json is None else given.json
    name, _, value = (given.parameter or "").partition("=")
    parameters = {name: value} if given.get else None
    method = given.method or ("GET" if body is None else "POST")
    return httpx2.Request(
        method, given.url, params=parameters, headers=headers, content=body.encode() if body is not None else None
    )


def blocks(document: Path) -> list[Block]:
    return [
        Block(bool(one["shown_only"]), one["language"], one["text"]) for one in FENCE.finditer(document.read_text())
    ]


def code(document: Path) -> Iterator[str]:
    """Every command that a document names: the lines of its shell blocks, and what is between backticks."""
    text = document.read_text()
    for block in FENCE.finditer(text):
        if block["language"] == "bash":
            yield from (line.partition(" #")[0] for line in block["text"].splitlines())
    yield from CODE.findall(FENCE.sub("", text))


def asking() -> list[Path]:
    """The pages with examples that are sent."""
    return [document for document in DOCUMENTS if any(block.asks for block in blocks(document))]


def names(documents: list[Path]) -> list[str]:
    return [str(document.relative_to(ROOT)) for document in documents]


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def configured() -> set[str]:
    """Every environment variable that the code and compose.yaml read."""
    for process in PROCESSES:
        pkgutil.resolve_name(application(process.name))
    found: set[str] = {databases.variable(service.name) for service in SERVICES}
    kinds: list[type[ProcessSettings]] = [ProcessSettings]
    for kind in kinds:
        found |= {name.upper() for name in kind.model_fields}
        kinds += [one for one in kind.__subclasses__() if not one.__module__.startswith("tests")]
    packages = [ROOT / "chassis", ROOT / "deploy", *(ROOT / process.name for process in PROCESSES)]
    for path in (path for package in packages for path in package.rglob("*.py") if "node_modules" not in path.parts):
        found |= set(ENVIRONMENT.findall(path.read_text()))
    found |= set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    return found - NOT_OURS


def documented() -> set[str]:
    """Every variable in the tables of the configuration."""
    return {name for cell in first_cells(CONFIGURATION) for name in CODE.findall(cell)}


def first_cells(document: Path) -> list[str]:
    """The first cell of each row of a table that begins with code."""
    return [line.split("|")[1] for line in document.read_text().splitlines() if line.startswith("| `")]


def test_the_pages_that_show_how_to_call_have_examples() -> None:
    assert {README, REST, GRAPHQL, LEIAME} <= set(asking())


@pytest.mark.parametrize("document", names(asking()))
def test_every_example_is_answered_as_the_document_shows(document: str, system: System) -> None:
    """The pages are followed one after the other on the same data, to the letter."""
    reader, found = Reader(system.offset), blocks(ROOT / document)
    asked = [(block, found[n + 1]) for n, block in enumerate(found[:-1]) if block.asks]
    assert asked
    for question, answer in asked:
        reader.check(question, answer)


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_answer_stands_behind_its_question(document: str) -> None:
    found = blocks(ROOT / document)
    follows = [*found[1:], Block(True, "", "")]
    assert [block.text for block, other in zip(found, follows, strict=False) if block.asks and not other.answers] == []
    assert [block.text for n, block in enumerate(found) if block.answers and (n == 0 or not found[n - 1].asks)] == []
    assert [block.text for block in found if block.language != "bash" and block.text.startswith("curl ")] == []


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_make_target_that_is_named_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = [made[1] for line in code(ROOT / document) for made in re.finditer(r"\bmake((?: [a-z][a-z-]*)+)", line)]
    assert {name for command in commands for name in command.split()} <= targets


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_module_that_is_named_exists(document: str) -> None:
    modules = [module for line in code(ROOT / document) for module in re.findall(r"python3? -m ([a-z_.]+)", line)]
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_link_leads_somewhere(document: str) -> None:
    broken: list[str] = []
    for target in LINK.findall((ROOT / document).read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (anchor and anchor not in map(slug, HEADING.findall(file.read_text()))):
            broken.append(target)
    assert broken == []


def test_the_configuration_table_names_what_the_code_reads() -> None:
    assert documented() == configured()


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_variable_set_before_make_is_in_the_configuration_table(document: str) -> None:
    lines = [line.partition(" make")[0] for line in code(ROOT / document) if re.match(r"[A-Z_]+=.* make\b", line)]
    assert {name for line in lines for name in re.findall(r"\b([A-Z_]+)=", line)} <= documented()


TO_ANYBODY = {"Accept", "Cache-Control", "Content-Type", "Content-Length"}
"""Headers that browsers let any page send, or read."""
NOT_FOR_PAGES = {"User-Agent", "X-Forwarded-For", "X-Forwarded-Host"}


def test_pages_may_send_and_read_the_headers_that_the_documents_name() -> None:
    texts = [document.read_text() for document in DOCUMENTS]
    sent = {name for text in texts for name in re.findall(r"-H ['\"]([\w-]+):", text)}
    blocks = [block["text"] for text in texts for block in FENCE.finditer(text) if block["language"] == "http"]
    read = {name for block in blocks for name in re.findall(r"^([\w-]+): ", block, re.M)}
    for service in SERVICES:
        components = json.loads((ROOT / service.name / "openapi.json").read_text())["components"]
        sent |= {one["name"] for one in components["parameters"].values() if one["in"] == "header"}
        read |= set(components["headers"])
    spans = {span.partition(":")[0] for text in texts for span in CODE.findall(FENCE.sub("", text))}
    named = {span for span in spans if re.fullmatch(r"([A-Z]+[a-z]*-)+[A-Z]+[a-z]*", span)} - NOT_FOR_PAGES

    assert sent - TO_ANYBODY <= set(cors.REQUEST_HEADERS)
    assert read - TO_ANYBODY <= set(cors.RESPONSE_HEADERS)
    assert named - TO_ANYBODY <= {*cors.REQUEST_HEADERS, *cors.RESPONSE_HEADERS}
    assert {*cors.REQUEST_HEADERS, *cors.RESPONSE_HEADERS} <= spans


def test_the_lists_of_codes_have_what_the_code_raises_and_no_more() -> None:
    kinds: list[type[Refusal]] = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
    problems = {kind.code for kind in kinds}
    fields = {code for code, _ in MESSAGES.values()}
    packages = ("chassis", "gateway", *(service.name for service in SERVICES))
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        problems |= set(re.findall(r'code="([A-Z_]+)"', text))
        problems |= set(re.findall(r'_prepared\(\s*\d+,\s*"([A-Z_]+)"', text))
        fields |= set(re.findall(r'(?:invalid|FieldError)\(\s*[^,()]+,\s*"([A-Z_]+)"', text))
        fields |= set(re.findall(r'(?:InvalidValue\(|ValueError\(f?|^[A-Z_]+ = )"([A-Z_]+)(?:: |", )', text, re.M))
    assert problems == set(codes.PROBLEMS)
    # INVALID is what pydantic finds and we have no word for; CODE stands in a docstring.
    assert (fields | {"INVALID"}) - {"CODE", "INVALID_ID"} == set(codes.FIELDS)
    assert set(gateway_errors.CODES.values()) <= set(gateway_errors.EXTENSIONS)


def test_the_tables_of_codes_are_the_lists() -> None:
    text = REST.read_text()
    *of_problems, of_fields = text.partition("\n| status | `code` |\n")[2].partition("\n\n")[0].splitlines()[1:]
    said = GRAPHQL.read_text().partition("`extensions.code` is one of ")[2].partition("```")[0]
    in_extensions, _, in_payloads = said.partition("In a payload's `errors`")

    def named(part: str) -> set[str]:
        return set(re.findall("`([A-Z_]+)`", part))

    assert named(of_fields.rpartition(" | ")[2]) == set(codes.FIELDS)
    assert {name for row in of_problems for name in named(row)} - {"ALLOWED_HOSTS"} == set(codes.PROBLEMS)
    assert named(in_extensions) - {"BUSY", "TOO_SLOW"} == set(gateway_errors.EXTENSIONS)
    assert named(in_payloads) == set(PAYLOADS) - set(codes.FIELDS)


def test_the_table_of_metrics_names_what_is_counted() -> None:
    for process in PROCESSES:
        pkgutil.resolve_name(application(process.name))
    pkgutil.resolve_name("chassis.observe.traces")  # which is imported only where traces are on
    counters = {one.name + "_total" for one in REGISTRY.collect() if one.type == "counter"}
    others = {one.name for one in REGISTRY.collect() if one.type != "counter"}
    others |= {name for name, _ in (metrics.POOL_GAUGES | metrics.POOL_COUNTERS).values()}
    ours = {name for name in counters | others if not name.startswith(("process_", "python_"))}
    told = {name for cell in first_cells(OPERATIONS) for name in re.findall(r"`(\w+_\w+)`", cell)}
    assert told == ours


DRAFTED = f"{int(head('pessoas')) + 1:04d}_add_email"
IMAGINED = ("NNNN", "fornecedores", DRAFTED, "pessoas/pessoas/", "solicitacoes.edges.0")
"""What a recipe makes, a folder that a decision has spared us, and a path in an answer."""


@pytest.mark.parametrize("document", names(DOCUMENTS))
def test_every_file_and_module_of_ours_that_is_named_exists(document: str) -> None:
    folders = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    ours = re.compile(rf"(?:{'|'.join(folders)})(?:/[\w./-]*|(?:\.\w+)+)")
    named = [span for span in code(ROOT / document) if ours.fullmatch(span)]
    assert [one for one in named if not is_there(one) and not any(word in one for word in IMAGINED)] == []


def is_there(name: str) -> bool:
    """Whether a path, or a dotted name of a module and of something in it, is one of this repository."""
    if "/" in name:
        return (ROOT / name).exists()
    *module, last = name.split(".")
    inside = ROOT.joinpath(*module)
    file = inside.with_suffix(".py")
    return (inside / last).is_dir() or (inside / f"{last}.py").exists() or (file.exists() and last in file.read_text())


PAGE = re.compile(r"\b((?:docs/[\w/-]+|README|LEIAME|CONTRIBUTING|CHANGELOG)\.md)(?:, ([A-Z]\w*(?: \w+)*))?")


def test_what_the_code_says_to_read_exists() -> None:
    """In messages, comments and settings: `docs/containers.md`, or with a heading, `docs/containers.md, Tokens`."""
    broken: list[str] = []
    for file in tracked():
        if file.suffix in (".md", ".svg", ".json", ".lock") or not file.exists() or file == Path(__file__):
            continue
        for page, heading in PAGE.findall(file.read_text(errors="ignore")):
            there = (ROOT / page).exists()
            if not there or (heading and heading not in HEADING.findall((ROOT / page).read_text())):
                broken.append(f"{file.relative_to(ROOT)}: {page}, {heading}")
    assert broken == []


def test_the_index_lists_every_page_of_the_documents_once() -> None:
    listed = [(DOCS / target).resolve() for target in LINK.findall(INDEX.read_text())]
    pages = [page for page in DOCUMENTS if page != INDEX]
    assert sorted(listed) == sorted(pages)


def test_the_start_page_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_decisions_are_numbered_short_and_have_three_parts() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text()
        assert len(text.splitlines()) <= 50, path.name
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            *("## Context", "## Decision", "## Consequences")
        ], path.name
