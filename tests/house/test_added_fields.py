"""A field is added in the files that docs/extending.md names, and in no others, to a system that has rows."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, build_schema

from chassis.db.revisions import head
from chassis.query.pagination import cursor
from chassis.text import fold
from tests.project_copy import ProjectCopy, SystemOfCopy
from tests.system import PATIENT_VARIABLES, System, free_offset

pytestmark = pytest.mark.system

Row = dict[str, Any]
PESSOAS, PRODUTOS = "/api/pessoas/", "/api/produtos/"
RENDERED = {"gateway/schema.graphql", "catalogo/openapi.json", "pessoas/openapi.json", "docs/rest.md"}
"""What `make render` writes anew: in the page, the table of collections."""

EMAIL = """    email: str | None = text_field(
        "joao@example.com",
        max_length=254,
        searched=True,
        ordered=True,
        default=None,
        description="Where to write to.",
    )
"""
EMAIL_IN_GRAPHQL = """    email: str | None = field(
        "o e-mail", filter=TextoFilter, order=True, rule=": de até 254 caracteres"
    )
"""
DETAILS = """    estoque: int | None = integer_field(3, minimum=0, ordered=True, default=None)
    preco: Decimal | None = decimal_field("12.50", digits=10, places=2, minimum=0, ordered=True, default=None)
    ativo: bool | None = boolean_field(True, ordered=True, default=None)
    lancado_em: date | None = date_field("2026-01-31", ordered=True, default=None)
    condicao: Condicao | None = choice_field(Condicao, "NOVO", ordered=True, default=None)
"""
IMPORTS = """from datetime import date
from decimal import Decimal
from typing import Literal

from sqlmodel import SQLModel

from chassis.db.models import boolean_field, choice_field, date_field, decimal_field, integer_field
"""
DETAILS_IN_GRAPHQL = """\
    estoque: int | None = field("o estoque", filter=InteiroFilter, order=True, rule=": a partir de 0")
    preco: Decimal | None = field("o preço", filter=NumeroDecimalFilter, order=True, rule=": de 0 a 99999999.99")
    ativo: bool | None = field("o sinal de ativo", filter=SimNaoFilter, order=True)
    lancado_em: date | None = field("a data de lançamento", filter=DataFilter, order=True)
    condicao: Condicao | None = field("a condição", filter=choice_filter(Condicao), order=True)
"""
CHOICES_IN_GRAPHQL = """@strawberry.enum(description="A condição de um produto.")
class Condicao(Enum):
    NOVO = strawberry.enum_value("NOVO", description="Novo.")
    USADO = strawberry.enum_value("USADO", description="Usado.")


"""
STANDARD_IMPORTS = "from datetime import date\nfrom decimal import Decimal\nfrom enum import Enum\n"
FIELDS = {"estoque": 7, "preco": "1234567.80", "ativo": False, "lancado_em": "2026-02-28", "condicao": "USADO"}


def add_email(copy: ProjectCopy) -> None:
    """Follows docs/extending.md for an optional text of a Pessoa."""
    name = '    nome_pessoa: Name = name_field("João Silva")\n'
    copy.replace("pessoas/models.py", name, name + EMAIL)
    copy.replace("pessoas/models.py", "table_parts, tables", "table_parts, tables, text_field")
    copy.run("deploy.migrate_all", "--new", "pessoas", "add email")
    file, following = "gateway/schema/pessoas.py", "    solicitacoes: Connection"
    copy.replace(file, following, EMAIL_IN_GRAPHQL + following)
    copy.replace(file, "import NomeFilter", "import NomeFilter, TextoFilter")


def add_details(copy: ProjectCopy) -> None:
    """Follows docs/extending.md for one optional field of each other kind of a Produto."""
    name = '    nome_produto: Name = name_field("Notebook Dell")\n'
    copy.replace("catalogo/models.py", name, name + DETAILS)
    copy.replace("catalogo/models.py", "from sqlmodel import SQLModel\n", IMPORTS)
    copy.replace("catalogo/models.py", "\n\nclass Base", '\n\nCondicao = Literal["NOVO", "USADO"]\n\n\nclass Base')
    copy.run("deploy.migrate_all", "--new", "catalogo", "add details")
    file, produto, following = "gateway/schema/catalogo.py", '@strawberry.type(description="Aquilo', "    categoria: "
    filters = "SimNaoFilter, DataFilter, NumeroDecimalFilter, InteiroFilter, NomeFilter, choice_filter"
    copy.replace(file, following, DETAILS_IN_GRAPHQL + following)
    copy.replace(file, produto, CHOICES_IN_GRAPHQL + produto)
    copy.replace(file, "import NomeFilter", f"import {filters}")
    copy.replace(file, "from typing import ClassVar", STANDARD_IMPORTS + "from typing import ClassVar")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> ProjectCopy:
    """The project with these fields."""
    made = ProjectCopy(tmp_path_factory.mktemp("copy"))
    add_email(made)
    add_details(made)
    made.run("deploy.render")
    return made


@pytest.fixture(scope="module")
def system(copy: ProjectCopy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with these fields, over the rows of the system without them."""
    data, offset = tmp_path_factory.mktemp("system"), free_offset()
    before = System(data, offset, demo=1, **PATIENT_VARIABLES)
    before.says("open GraphiQL")
    before.stop(signal.SIGTERM)
    running = SystemOfCopy(copy, data, offset)
    running.says("open GraphiQL")
    yield running
    running.stop(signal.SIGTERM)


def get(system: System, service: str, path: str, **parameters: object) -> Any:
    status, answer = system.ask(service, "GET", f"{path}?{urlencode(parameters)}" if parameters else path)
    assert status == 200, answer
    return answer


def query(system: System, service: str, path: str, **asked: object) -> list[Row]:
    status, answer = system.ask(service, "POST", f"{path}query/", asked)
    assert status == 200, answer
    return answer["items"]


def add(system: System, service: str, path: str, **body: object) -> Row:
    status, row = system.ask(service, "POST", path, body)
    assert status == 201, row
    return row


def refused(system: System, service: str, path: str, **body: object) -> list[tuple[str, str]]:
    status, problem = system.ask(service, "POST", path, body)
    assert status == 422, problem
    return [(error["field"], error["code"]) for error in problem["errors"]]


def walk(system: System, service: str, path: str, ordering: str, size: int) -> tuple[list[Row], list[Row]]:
    """All rows, read page by page from the start, and from the end."""
    field = ordering.removeprefix("-")

    def pages(first: str, after: str, place: int) -> list[list[Row]]:
        found: list[list[Row]] = []
        asked: Row = {first: size, "ordering": ordering}
        while page := query(system, service, path, **asked):
            found.append(page)
            asked[after] = cursor(field, page[place][field], page[place]["id"])
        return found

    forwards = [row for page in pages("first", "after", -1) for row in page]
    backwards = [row for page in reversed(pages("last", "before", 0)) for row in page]
    return forwards, backwards


def in_order(rows: list[Row], ordering: str, key: Callable[[Any], Any]) -> list[Row]:
    """The rows in the order that the documents promise: null is the last value."""
    field = ordering.removeprefix("-")

    def place(row: Row) -> Any:
        missing = row[field] is None
        return missing, 0 if missing else key(row[field]), row["id"]

    return sorted(rows, key=place, reverse=ordering.startswith("-"))


def test_the_fields_are_in_the_models_the_drafted_migrations_and_the_gateway_s_types_only(copy: ProjectCopy) -> None:
    drafted = [
        f"{service}/migrations/{int(head(service)) + n:04d}_{name}.py"
        for service, message in (("pessoas", "add_email"), ("catalogo", "add_details"))
        for n, name in ((1, message), (2, f"{message}_indexes"))
    ]

    models = {"pessoas/models.py", "catalogo/models.py"}
    types = {"gateway/schema/pessoas.py", "gateway/schema/catalogo.py"}
    assert copy.changed() - RENDERED == {*models, *types, *drafted}


def test_the_drafted_migrations_are_safe_and_leave_nothing_to_migrate(copy: ProjectCopy) -> None:
    copy.run("deploy.lint_migrations")
    for service in ("pessoas", "catalogo"):
        drafted = Path(copy.run("deploy.migrate_all", "--new", service, "nothing").split("wrote ")[1].split(":")[0])
        text = drafted.read_text()
        drafted.unlink()

        assert "op." not in text
        assert "from chassis.db.search" not in text


def test_a_text_is_written_read_and_cleared(system: System) -> None:
    row = add(system, "pessoas", PESSOAS, nome_pessoa="Zé", email=" Jose\u0301@Example.com ")
    at = f"{PESSOAS}{row['id']}/"

    assert row == {"id": row["id"], "nome_pessoa": "Zé", "email": "José@Example.com"}
    assert get(system, "pessoas", at) == row
    assert system.ask("pessoas", "PATCH", at, {"nome_pessoa": "José"})[1]["email"] == "José@Example.com"
    assert system.ask("pessoas", "PATCH", at, {"email": None})[1]["email"] is None
    assert system.ask("pessoas", "PUT", at, {"nome_pessoa": "Zé", "email": "ze@example.com"})[1]["email"]
    assert system.ask("pessoas", "PUT", at, {"nome_pessoa": "Zé"})[1]["email"] is None
    assert refused(system, "pessoas", PESSOAS, nome_pessoa="Zé", email=" ") == [("email", "BLANK")]
    assert refused(system, "pessoas", PESSOAS, nome_pessoa="Zé", email="x" * 255) == [("email", "TOO_LONG")]
    system.ask("pessoas", "DELETE", at)


def test_a_text_is_searched_and_filtered(system: System) -> None:
    one = add(system, "pessoas", PESSOAS, nome_pessoa="Ana Única", email="Ána@Exemplo.com")
    other = add(system, "pessoas", PESSOAS, nome_pessoa="ana@exemplo", email="outra@exemplo.com")
    without = get(system, "pessoas", PESSOAS, page_size=1)
    ids = [one["id"], other["id"]]

    def filtered(**filter: object) -> list[Row]:
        return query(system, "pessoas", PESSOAS, filter={"id": {"in": [*ids, without[0]["id"]]}, **filter})

    assert without[0]["email"] is None
    assert get(system, "pessoas", PESSOAS, search="ana@exemplo") == [one, other]
    assert get(system, "pessoas", PESSOAS, email="Ána@Exemplo.com") == [one]
    assert get(system, "pessoas", PESSOAS, email="ana@exemplo.com") == []
    assert filtered(email={"starts_with": "ANA@"}) == [one]
    assert filtered(email={"contains": "exemplo"}) == [one, other]
    assert filtered(email={"in": [one["email"], "nobody"]}) == [one]
    assert filtered(email={"is_null": True}) == without
    assert filtered(email={"is_null": False}) == [one, other]
    assert filtered(**{"not": {"email": {"eq": one["email"]}}}) == [*without, other]
    assert filtered(**{"not": {"email": {"contains": "ana"}}}) == [*without, other]
    for row in (one, other):
        system.ask("pessoas", "DELETE", f"{PESSOAS}{row['id']}/")


@pytest.mark.parametrize("ordering", ["email", "-email"])
def test_rows_are_ordered_by_a_text_also_those_without_one(system: System, ordering: str) -> None:
    mails = ("bia@x", "Álvaro@x", "alvaro@x", "\U0001f600@x", "alvaro@x")
    made = [add(system, "pessoas", PESSOAS, nome_pessoa="Ana", email=email) for email in mails]
    rows = get(system, "pessoas", PESSOAS, page_size=1000)

    expected = in_order(rows, ordering, fold)

    assert len(rows) < 1000
    assert get(system, "pessoas", PESSOAS, page_size=1000, ordering=ordering) == expected
    assert walk(system, "pessoas", PESSOAS, ordering, 37) == (expected, expected)
    for row in made:
        system.ask("pessoas", "DELETE", f"{PESSOAS}{row['id']}/")


def test_the_other_kinds_are_written_read_and_cleared(system: System) -> None:
    row = add(system, "catalogo", PRODUTOS, nome_produto="Lupa", categoria_id=1, **FIELDS)
    at = f"{PRODUTOS}{row['id']}/"

    assert {name: row[name] for name in FIELDS} == FIELDS
    assert get(system, "catalogo", at) == row
    assert query(system, "catalogo", PRODUTOS, ids=[row["id"]]) == [row]
    assert system.ask("catalogo", "PATCH", at, {"nome_produto": "Lupa"})[1] == row
    assert system.ask("catalogo", "PUT", at, row)[1] == row
    for name in FIELDS:
        assert system.ask("catalogo", "PATCH", at, {name: None})[1] == row | {name: None}
        assert system.ask("catalogo", "PATCH", at, {name: FIELDS[name]})[1] == row
    assert system.ask("catalogo", "PATCH", at, {"preco": "0.5"})[1]["preco"] == "0.50"
    assert system.ask("catalogo", "DELETE", at)[0] == 204


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("estoque", -1, "OUT_OF_RANGE"),
        ("estoque", 2**31, "OUT_OF_RANGE"),
        ("estoque", "1", "NOT_AN_INTEGER"),
        ("estoque", True, "NOT_AN_INTEGER"),
        ("preco", 1.5, "NOT_A_DECIMAL"),
        ("preco", "1e3", "NOT_A_DECIMAL"),
        ("preco", "NaN", "NOT_A_DECIMAL"),
        ("preco", "1.005", "OUT_OF_RANGE"),
        ("preco", "123456789.00", "OUT_OF_RANGE"),
        ("preco", "-0.01", "OUT_OF_RANGE"),
        ("ativo", "true", "NOT_A_BOOLEAN"),
        ("ativo", 1, "NOT_A_BOOLEAN"),
        ("lancado_em", "2026-02-29", "NOT_A_DATE"),
        ("lancado_em", "2026-2-3", "NOT_A_DATE"),
        ("lancado_em", "2026-01-31T00:00:00Z", "NOT_A_DATE"),
        ("condicao", "novo", "INVALID_CHOICE"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(system: System, field: str, value: object, code: str) -> None:
    body: Row = {"nome_produto": "Lupa", "categoria_id": 1, field: value}

    assert refused(system, "catalogo", PRODUTOS, **body) == [(field, code)]


@pytest.fixture(scope="module")
def produtos(system: System) -> list[Row]:
    """Every produto: some with the fields, and those of before without."""
    for number in range(12):
        fields: Row = {
            "estoque": number % 5,
            "preco": f"{number % 4}.{number % 3}0",
            "ativo": number % 2 == 0,
            "lancado_em": f"2026-0{number % 3 + 1}-15",
            "condicao": ("NOVO", "USADO")[number % 2],
        }
        add(system, "catalogo", PRODUTOS, nome_produto="Lupa", categoria_id=1, **fields)
    return get(system, "catalogo", PRODUTOS, page_size=1000)


FILTERED: list[tuple[Row, Row, Callable[[Row], bool]]] = [
    ({"estoque": "3"}, {"estoque": {"eq": 3}}, lambda row: row["estoque"] == 3),
    ({"estoque__gte": "3"}, {"estoque": {"gt": 2}}, lambda row: (row["estoque"] or 0) >= 3),
    ({"preco": "1.1"}, {"preco": {"in": ["1.100", "99"]}}, lambda row: row["preco"] == "1.10"),
    ({"preco__lte": "1.10"}, {"preco": {"lt": "1.101"}}, lambda row: float(row["preco"] or 9) <= 1.1),
    ({"ativo": "false"}, {"ativo": {"eq": False}}, lambda row: row["ativo"] is False),
    (
        {"lancado_em__gte": "2026-02-15", "lancado_em__lte": "2026-02-15"},
        {"lancado_em": {"in": ["2026-02-15"]}},
        lambda row: row["lancado_em"] == "2026-02-15",
    ),
    ({"condicao": "USADO"}, {"condicao": {"eq": "USADO"}}, lambda row: row["condicao"] == "USADO"),
]


@pytest.mark.parametrize(("parameters", "filter", "holds"), FILTERED)
def test_the_other_kinds_are_filtered(
    system: System, produtos: list[Row], parameters: Row, filter: Row, holds: Callable[[Row], bool]
) -> None:
    matching = [row for row in produtos if holds(row)]
    others = [row for row in produtos if not holds(row)]

    assert matching
    assert get(system, "catalogo", PRODUTOS, page_size=1000, **parameters) == matching
    assert query(system, "catalogo", PRODUTOS, first=1000, filter=filter) == matching
    assert query(system, "catalogo", PRODUTOS, first=1000, filter={"not": filter}) == others


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("direction", ["", "-"])
def test_rows_are_ordered_by_the_other_kinds_also_those_without_a_value(
    system: System, produtos: list[Row], field: str, direction: str
) -> None:
    expected = in_order(produtos, direction + field, float if field == "preco" else lambda value: value)

    assert walk(system, "catalogo", PRODUTOS, direction + field, 17) == (expected, expected)


def test_a_page_for_each_parent_is_ordered_by_them_too(system: System, produtos: list[Row]) -> None:
    status, answer = system.ask(
        "catalogo",
        "POST",
        f"{PRODUTOS}query/",
        {
            "per": {"field": "categoria_id", "ids": [1]},
            "ordering": "-preco",
            "first": 5,
            "filter": {"preco": {"gte": "0"}},
        },
    )

    priced = [row for row in produtos if row["preco"] is not None and row["categoria"]["id"] == 1]
    assert (status, answer["groups"][0]["items"]) == (200, in_order(priced, "-preco", float)[:5])


def test_the_fields_are_described(system: System) -> None:
    document = get(system, "pessoas", "/openapi.json")
    email = document["components"]["schemas"]["PessoaWrite"]["properties"]["email"]
    parameters = {one["name"] for one in document["paths"][PESSOAS]["get"]["parameters"] if "name" in one}

    assert email["description"].startswith("Where to write to.")
    assert email["examples"] == ["joao@example.com"]
    assert "email" in parameters
    [created] = document["paths"][PESSOAS]["post"]["requestBody"]["content"].values()
    assert created["schema"]["examples"] == [{"nome_pessoa": "João Silva", "email": "joao@example.com"}]
    produto = get(system, "catalogo", "/openapi.json")
    parameters = {one["name"] for one in produto["paths"][PRODUTOS]["get"]["parameters"] if "name" in one}
    assert parameters >= {"preco", "preco__gte", "preco__lte", "ativo", "condicao", "lancado_em__gte", "estoque__lte"}


def graphql(system: System, text: str, **variables: object) -> Row:
    """The data of an operation that must not have errors."""
    status, answer = system.ask("gateway", "POST", "/graphql", {"query": text, "variables": variables})
    assert (status, answer.get("errors")) == (200, None), answer
    return answer["data"]


def test_the_gateway_writes_reads_and_clears_a_text(system: System) -> None:
    created = graphql(
        system,
        """mutation { criarPessoa(input: {nomePessoa: "Zé", email: " ze@example.com "}) {
        pessoa { id nomePessoa email } errors { code } } }""",
    )["criarPessoa"]
    row = created["pessoa"]
    update = """mutation ($id: ID!, $email: String) { atualizarPessoa(id: $id, input: {email: $email}) {
        pessoa { email } errors { field code } } }"""

    assert created == {
        "pessoa": {"id": row["id"], "nomePessoa": "Zé", "email": "ze@example.com"},
        "errors": [],
    }
    assert graphql(system, "query ($id: ID!) { pessoa(id: $id) { id nomePessoa email } }", id=row["id"]) == {
        "pessoa": row
    }
    assert graphql(system, update, id=row["id"], email=None)["atualizarPessoa"] == {
        "pessoa": {"email": None},
        "errors": [],
    }
    assert graphql(system, update, id=row["id"], email=" ")["atualizarPessoa"] == {
        "pessoa": None,
        "errors": [{"field": "email", "code": "BLANK"}],
    }
    graphql(system, "mutation ($id: ID!) { excluirPessoa(id: $id) { errors { code } } }", id=row["id"])


def test_the_gateway_filters_and_orders_by_a_text_also_through_a_solicitacao(system: System) -> None:
    """The rows of before the migration have no e-mail; solicitações refer to them."""
    status, before = system.ask("pessoas", "PATCH", f"{PESSOAS}1/", {"email": "Primeira@Exemplo.com"})
    asked = """{ pessoas(filter: {email: {%s}}, orderBy: EMAIL_ASC, first: 1) { nodes { id email } totalCount } }"""
    nested = """{ solicitacoes(first: 5, filter: {pessoa: {email: {startsWith: "primeira@"}}}) {
        totalCount nodes { pessoa { id email } } } }"""

    assert status == 200
    found = {"nodes": [{"id": "1", "email": before["email"]}], "totalCount": 1}
    assert graphql(system, asked % 'contains: "EXEMPLO"')["pessoas"] == found
    assert graphql(system, asked % 'eq: "Primeira@Exemplo.com"')["pessoas"] == found
    assert graphql(system, asked % "isNull: false")["pessoas"] == found
    assert graphql(system, "{ pessoas(first: 2, orderBy: EMAIL_ASC) { nodes { email } } }")["pessoas"]["nodes"] == [
        {"email": before["email"]},
        {"email": None},
    ]
    solicitacoes = graphql(system, nested)["solicitacoes"]
    assert solicitacoes["totalCount"] > 0
    assert all(one["pessoa"] == {"id": "1", "email": before["email"]} for one in solicitacoes["nodes"])
    system.ask("pessoas", "PATCH", f"{PESSOAS}1/", {"email": None})


DETAILS_READ = "estoque preco ativo lancadoEm condicao"


def test_the_gateway_writes_reads_and_clears_the_other_kinds(system: System) -> None:
    shown = {"estoque": 7, "preco": "1234567.80", "ativo": False, "lancadoEm": "2026-02-28", "condicao": "USADO"}
    create = f"""mutation ($input: CriarProdutoInput!) {{ criarProduto(input: $input) {{
        produto {{ id {DETAILS_READ} }} errors {{ code }} }} }}"""
    given = {"nomeProduto": "Lupa", "categoriaId": 1, **shown, "preco": "1234567.8"}
    created = graphql(system, create, input=given)["criarProduto"]
    id = created["produto"].pop("id")
    update = f"""mutation ($id: ID!, $input: AtualizarProdutoInput!) {{ atualizarProduto(id: $id, input: $input) {{
        produto {{ {DETAILS_READ} }} errors {{ field code }} }} }}"""

    assert created == {"errors": [], "produto": shown}
    assert graphql(system, f"query ($id: ID!) {{ produto(id: $id) {{ {DETAILS_READ} }} }}", id=id) == {"produto": shown}
    for name in shown:
        cleared = graphql(system, update, id=id, input={name: None})["atualizarProduto"]
        restored = graphql(system, update, id=id, input={name: shown[name]})["atualizarProduto"]

        assert cleared == {"produto": shown | {name: None}, "errors": []}
        assert restored == {"produto": shown, "errors": []}
    refused = graphql(system, update, id=id, input={"preco": "-0.01", "estoque": -1})["atualizarProduto"]
    assert refused == {
        "produto": None,
        "errors": [{"field": "estoque", "code": "OUT_OF_RANGE"}, {"field": "preco", "code": "OUT_OF_RANGE"}],
    }
    graphql(system, "mutation ($id: ID!) { excluirProduto(id: $id) { errors { code } } }", id=id)


CONDITIONS: list[tuple[Row, Callable[[Row], object]]] = [
    ({"estoque": {"gte": 3}}, lambda row: row["estoque"] is not None and row["estoque"] >= 3),
    ({"preco": {"in": ["1.100", "99"]}}, lambda row: row["preco"] == "1.10"),
    ({"preco": {"isNull": True}}, lambda row: row["preco"] is None),
    ({"ativo": {"eq": False}}, lambda row: row["ativo"] is False),
    ({"lancadoEm": {"lte": "2026-01-15"}}, lambda row: row["lancado_em"] == "2026-01-15"),
    ({"condicao": {"eq": "USADO"}}, lambda row: row["condicao"] == "USADO"),
    ({"not": {"condicao": {"in": ["USADO"]}}}, lambda row: row["condicao"] != "USADO"),
]


@pytest.mark.parametrize(("filter", "holds"), CONDITIONS)
def test_the_gateway_filters_by_the_other_kinds(
    system: System, produtos: list[Row], filter: Row, holds: Callable[[Row], object]
) -> None:
    text = "query ($filter: ProdutoFilter) { produtos(first: 1000, filter: $filter) { nodes { id } } }"

    found = graphql(system, text, filter=filter)["produtos"]["nodes"]

    assert found == [{"id": str(row["id"])} for row in produtos if holds(row)]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_the_gateway_orders_by_the_other_kinds_and_goes_on_from_a_cursor(
    system: System, produtos: list[Row], field: str, direction: str
) -> None:
    text = """query ($order: ProdutoOrder!, $after: String) { produtos(first: 20, after: $after, orderBy: $order) {
        nodes { id } pageInfo { endCursor hasNextPage } } }"""
    ordering = ("-" if direction == "DESC" else "") + field
    expected = in_order(produtos, ordering, float if field == "preco" else lambda value: value)

    found: list[str] = []
    after, more = None, True
    while more:
        page = graphql(system, text, order=f"{field.upper()}_{direction}", after=after)["produtos"]
        found += [node["id"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    assert found == [str(row["id"]) for row in expected]


def test_the_gateway_filters_solicitacoes_and_a_categoria_s_produtos_by_the_other_kinds(
    system: System, produtos: list[Row]
) -> None:
    priced = next(row for row in produtos if row["preco"] == "1.10")
    status, _ = system.ask(
        "solicitacoes",
        "POST",
        "/api/solicitacoes/",
        {"servico_id": 1, "pessoa_id": 1, "produto_id": priced["id"]},
    )
    text = """query ($id: ID!) {
        solicitacoes(filter: {produto: {id: {eq: $id}, preco: {lt: "1.101"}, condicao: {isNull: false}}}) {
            nodes { produto { preco condicao } } }
        categoria(id: 1) { produtos(first: 1000, filter: {preco: {eq: "1.1"}}) { nodes { id } } }
    }"""

    data = graphql(system, text, id=priced["id"])

    shown = {"preco": "1.10", "condicao": priced["condicao"]}
    below = [row for row in produtos if row["preco"] == "1.10" and row["categoria"]["id"] == 1]
    assert status == 201
    assert data["solicitacoes"]["nodes"] == [{"produto": shown}]
    assert data["categoria"]["produtos"]["nodes"] == [{"id": str(row["id"])} for row in below]


def test_the_gateway_describes_the_fields(copy: ProjectCopy) -> None:
    schema = build_schema((copy.directory / "gateway/schema.graphql").read_text())
    produto, created = schema.type_map["Produto"], schema.type_map["CriarProdutoInput"]
    pessoa, orders = schema.type_map["Pessoa"], schema.type_map["PessoaOrder"]

    assert isinstance(produto, GraphQLObjectType)
    assert isinstance(pessoa, GraphQLObjectType)
    assert isinstance(created, GraphQLInputObjectType)
    assert isinstance(orders, GraphQLEnumType)
    kinds = {"estoque": "Int", "preco": "Decimal", "ativo": "Boolean", "lancadoEm": "Date", "condicao": "Condicao"}
    assert {name: str(produto.fields[name].type) for name in kinds} == kinds
    assert {name: str(created.fields[name].type) for name in kinds} == kinds
    assert pessoa.fields["email"].description == "O e-mail."
    assert orders.values["EMAIL_ASC"].description == "Pelo e-mail, de A a Z; nulos no fim."
    assert created.fields["preco"].description == "O preço: de 0 a 99999999.99."
