"""Attacks by GraphQL documents and their variables."""

from __future__ import annotations

from typing import Any

from tests.attacks.attack import Attack, graphql, post, request

BAD, LIMIT = "400 BAD_USER_INPUT", "400 LIMIT_EXCEEDED"
IDS = "query ($ids: [ID!]) { pessoas(filter: {id: {in: $ids}}) { nodes { id } } }"
FILTER = "query ($f: PessoaFilter) { pessoas(filter: $f) { nodes { id } } }"
CREATE = "mutation ($n: String!) { criarPessoa(input: {nomePessoa: $n}) { pessoa { id } errors { code field } } }"


def many(count: int, text: str) -> str:
    """Repeats `text` `count` times, each with its number in place of `%`."""
    return " ".join(text.replace("%", str(n)) for n in range(count))


def nested(levels: int, value: Any = None) -> Any:
    for _ in range(levels):
        value = {"not": value or {}}
    return value


def bomb() -> str:
    """Sixty fragments, each of which uses the next one twice."""
    fragments = [f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60)]
    return " ".join(["{ ...F0 }", *fragments, "fragment F60 on Query { __typename }"])


SCHEMA = "a%: __schema { types { name fields { name args { name type { name } } type { name ofType { name } } } } }"
INTROSPECTION = (
    "{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }"
)
DEEP_PAGES = (
    "{ categorias(first: 1000) { nodes { produtos(first: 1000) { nodes { so"
    "licitacoes(first: 1000) { nodes { id } } } } } } }"
)
LOOP = (
    "{ pessoas(first: 100) { nodes { solicitacoes(first: 100) { nodes { pes"
    "soa { solicitacoes(first: 100) { nodes { id } } } } } } } }"
)
PAGES = "query ($n: Int) { pessoas(first: $n) { nodes { solicitacoes(first: $n) { nodes { id } } } } }"

WRONG = "a%: solicitacoes(first: -1) { totalCount }"
USES = (
    f"query ($f: SolicitacaoFilter) {{ {many(20, 'r%: pessoa(id: 1) { ...F }')} }} fragment F on Pessoa {{ "
    f"{many(48, 'a%: solicitacoes(first: 0, filter: $f) { totalCount }')} }}"
)
OUTCOMES = (
    f"query ({many(7, '$b%: Boolean!')}) {{ {many(11, 'r%: solicitacoes(first: 0) { nodes { ...F } }')} }} fragment F "
    f"on Solicitacao {{ {many(7, 'b%: id @include(if: $b%)')} {many(80, 'p%: pessoa { id }')} }}"
)
TWO = "query A($v: Boolean!) { pessoas @include(if: $v) { totalCount } } "

ATTACKS: list[Attack] = [
    request(
        "a mistake in each of 45,000 pages",
        graphql("{ pessoas(first: 500) { nodes {" + many(90, WRONG) + "} } }"),
        "200 BAD_USER_INPUT first",
    ),
    request(
        "a mistake in each of a million pages",
        graphql(
            "{"
            + many(24, "r%: pessoas(first: 1000) { nodes { ...F } }")
            + "} fragment F on Pessoa {"
            + many(38, WRONG)
            + "}"
        ),
        f"{LIMIT} MAX_COST",
    ),
    request(
        "a filter of 9,900 ids in 960 places",
        graphql(USES, variables={"f": {"id": {"in": ["1"] * 5_000}, "pessoaId": {"in": ["1"] * 4_900}}}),
        f"{LIMIT} MAX_COST",
    ),
    request(
        "a large plan of a short text",
        graphql(OUTCOMES, variables={f"b{n}": bool(n % 2) for n in range(7)}),
        "200",
    ),
    request(
        "introspection beside ten pages of 1,000",
        graphql('{ __type(name: "Erro") { name }' + many(10, "r%: solicitacoes(first: 1000) { nodes { id } }") + "}"),
        "200",
    ),
    request(
        "another operation's condition, called like a filter",
        graphql(TWO + FILTER.replace("query", "query B").replace("$f", "$v"), operationName="B", variables={"v": {}}),
        "200",
    ),
    request(
        "a null condition",
        graphql("query ($v: Boolean = true) { __typename @skip(if: $v) }", variables={"v": None}),
        BAD,
    ),
    request(
        "a filter that only a service would refuse",
        graphql(
            "query ($f: SolicitacaoFilter) { solicitacoes(filter: $f) { totalCount } }",
            variables={"f": {"or": [{"pessoa": {"nomePessoa": {"eq": str(n)}}} for n in range(45)]}},
        ),
        "200 LIMIT_EXCEEDED filter",
    ),
    request("fields nested 300 deep", graphql("{ a " * 300 + "}" * 300), f"{LIMIT} MAX_DEPTH"),
    request("fields nested 20,000 deep", graphql("{a" * 20_000), f"{LIMIT} MAX_TOKENS"),
    request(
        "a list value nested 500 deep",
        graphql("{ pessoas(filter: {id: {in: " + "[" * 500 + "]" * 500 + "}}) { totalCount } }"),
        f"{LIMIT} MAX_DEPTH",
    ),
    request("10,000 aliases", graphql("{" + many(10_000, "a%:__typename") + "}"), f"{LIMIT} MAX_DOCUMENT_LENGTH"),
    request("600 aliases", graphql("{" + many(600, "a%: __typename") + "}"), f"{LIMIT} MAX_ALIASES"),
    request("51 fields at the root", graphql("{" + " __typename" * 51 + "}"), f"{LIMIT} MAX_ROOT_FIELDS"),
    request(
        "100 mutations in one request",
        graphql("mutation {" + many(100, "a%: excluirPessoa(id: %) { errors { code } }") + "}"),
        f"{LIMIT} MAX_ROOT_FIELDS",
    ),
    request(
        "1,900 times the same field", graphql("{ pessoas { nodes {" + " id" * 1_900 + "} } }"), f"{LIMIT} MAX_OVERLAPS"
    ),
    request(
        "fields that conflict, each with each",
        graphql("{ pessoas { nodes {" + many(90, "x: solicitacoes(first: %) { nodes { id } }") + "} } }"),
        f"{LIMIT} MAX_OVERLAPS",
    ),
    request("a fragment bomb of 2^60 fields", graphql(bomb()), f"{LIMIT} MAX_ROOT_FIELDS"),
    request("a fragment that uses itself", graphql("{ ...A } fragment A on Query { ...A }"), BAD),
    request(
        "a cycle of fragments across types",
        graphql(
            "{ pessoas { nodes { ...A } } } fragment A on Pessoa { solicitacoes { nodes { ...B } } } "
            "fragment B on Solicitacao { pessoa { ...A } }"
        ),
        BAD,
    ),
    request("250 inline fragments", graphql("{" + " ... { __typename }" * 250 + "}"), f"{LIMIT} MAX_FRAGMENTS"),
    request("inline fragments nested 400 deep", graphql("{ ... " * 400 + "{ a " + "}" * 401), f"{LIMIT} MAX_DEPTH"),
    request(
        "150 directives on a field",
        graphql("{ __typename" + " @skip(if: false)" * 150 + "}"),
        f"{LIMIT} MAX_DIRECTIVES",
    ),
    request("600 unknown directives", graphql("{ __typename" + " @a" * 600 + "}"), f"{LIMIT} MAX_DIRECTIVES"),
    request("300 variables", graphql("query (" + many(300, "$a%: Int") + ") { __typename }"), f"{LIMIT} MAX_VARIABLES"),
    request("50,000 values in a variable", graphql(IDS, variables={"ids": ["1"] * 50_000}), f"{LIMIT} MAX_VALUES"),
    request("a variable nested 200 deep", graphql(FILTER, variables={"f": nested(200)}), f"{LIMIT} MAX_DEPTH"),
    request("pages of 1,000 at three levels", graphql(DEEP_PAGES), f"{LIMIT} MAX_COST"),
    request("pages of pages by way of an object", graphql(LOOP), f"{LIMIT} MAX_COST"),
    request("page sizes in variables", graphql(PAGES, variables={"n": 1000}), f"{LIMIT} MAX_COST"),
    request(
        "50 pages of 1,000 under aliases",
        graphql("{" + many(50, "a%: solicitacoes(first: 1000) { nodes { id pessoa { id } } }") + "}"),
        f"{LIMIT} MAX_COST",
    ),
    request("a page of a million", graphql("{ pessoas(first: 1000000) { totalCount } }"), "200 LIMIT_EXCEEDED first"),
    request("a page of minus one", graphql("{ pessoas(first: -1) { totalCount } }"), "200 BAD_USER_INPUT first"),
    request("a page size beyond int32", graphql("{ pessoas(first: 99999999999) { totalCount } }"), BAD),
    request("introspection nested in itself", graphql(INTROSPECTION), BAD),
    request("the whole schema 50 times", graphql("{" + many(50, SCHEMA) + "}"), f"{LIMIT} MAX_COST"),
    request(
        "a document of 200,000 characters", graphql("{ __typename }" + " " * 200_000), f"{LIMIT} MAX_DOCUMENT_LENGTH"
    ),
    request("40,000 comments", graphql("#\n" * 40_000 + "{ __typename }"), f"{LIMIT} MAX_TOKENS"),
    request("a string of 90,000 characters that does not end", graphql('{ pessoa(id: "' + "a" * 90_000), BAD),
    request("a block string full of quotes that does not end", graphql('{ a(b: """' + '""\\"' * 20_000), BAD),
    request(
        "a number of 90,000 digits", graphql("{ pessoa(id: " + "9" * 90_000 + ") { id } }"), "200 BAD_USER_INPUT id"
    ),
    request("a Cyrillic letter in a name", graphql("{ p\u0435ssoas { totalCount } }"), BAD),
    request("an invisible direction mark in a name", graphql("{ pes\u202esoas { totalCount } }"), BAD),
    request("a NUL in the document", graphql("{ pessoas\0 { totalCount } }"), BAD),
    request("an escape beyond Unicode", graphql('{ pessoa(id: "\\u{110000}") { id } }'), BAD),
    request(
        "a lone surrogate in a literal",
        graphql('{ pessoas(filter: {nomePessoa: {eq: "\\uD800"}}) { totalCount } }'),
        BAD,
    ),
    request(
        "a lone surrogate in a variable",
        post("/graphql", {"query": CREATE, "variables": {"n": "\ud800"}}),
        "400 BAD_USER_INPUT",
    ),
    request("a NUL in a variable", graphql(CREATE, variables={"n": "a\0b"}), "200 nomePessoa:INVALID_CHARACTER"),
    request("a batch of 1,000 operations", post("/graphql", [{"query": "{ __typename }"}] * 1_000), BAD),
    request("an operation that is not there", graphql("query A { __typename }", operationName="B"), BAD),
    request("100 operations in a document", graphql(many(100, "query A% { __typename }")), f"{LIMIT} MAX_ROOT_FIELDS"),
    request("a subscription", graphql("subscription { pessoas { id } }"), BAD),
    request("a value of the wrong type", graphql("{ pessoas(filter: {id: {in: {a: {b: 1}}}}) { totalCount } }"), BAD),
    request("a query that is a number", post("/graphql", {"query": 42}), BAD),
    request("variables that are a list", post("/graphql", {"query": "{ __typename }", "variables": [1]}), BAD),
    request("9,000 values of the wrong type", graphql(IDS, variables={"ids": [{}] * 9_000}), "400 BAD_USER_INPUT"),
    request(
        "5,001 ids in a filter",
        graphql(IDS, variables={"ids": [str(n) for n in range(5_001)]}),
        "200 LIMIT_EXCEEDED filter.id.in",
    ),
    request(
        "a filter of 300 conditions",
        graphql(FILTER, variables={"f": {"or": [{"id": {"eq": "1"}}] * 300}}),
        "200 LIMIT_EXCEEDED filter",
    ),
    request("a filter that negates 12 times", graphql(FILTER, variables={"f": nested(12, {"id": {"eq": "1"}})}), "200"),
    request(
        "SQL in a filter",
        graphql(FILTER, variables={"f": {"nomePessoa": {"contains": "%' OR 1=1; DROP TABLE pessoa; --"}}}),
        "200",
    ),
    request(
        "a forged cursor", graphql('{ pessoas(after: "WyJ4IiwxLDJd") { totalCount } }'), "200 BAD_USER_INPUT after"
    ),
    request("an id beyond int8", graphql('{ pessoa(id: "9223372036854775808") { id } }'), "200 BAD_USER_INPUT id"),
    request("SQL as an id", graphql('{ pessoa(id: "1 OR 1=1") { id } }'), "200 BAD_USER_INPUT id"),
]
