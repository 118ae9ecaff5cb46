"""Makes random operations by walking the schema; the same seed always makes the same operation."""

from __future__ import annotations

import json
import random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
    is_composite_type,
)

NAMES = ("maria", "JOÃO", "a", "zzz", "Mesa", "é")
DEPTH = 4
IDS: dict[str, list[int | str]] = {
    "other": [1, 2, 3, 5, 8, 999, "abc"],
    "atualiz": [1, 2, 3, 999, "abc"],
    "excluir": [9, 10, 11, 12, 999, "abc"],
}
"""The ids that a mutation may name, by the kind of write."""


KNOWN = {"id", "input", "first", "last", "after", "before", "orderBy", "filter"}
"""The arguments that the gateway's own fields have."""
OTHER = "query Outra($v0: Boolean!, $v1: Boolean!) { a: __typename @skip(if: $v0) b: __typename @skip(if: $v1) }"
"""A second operation that may be in the same document. Its variables have the same names as the first operation's
variables, whatever types those have."""


class Writer:
    """Writes one operation, `Aleatoria`. `variables` are the values that it needs."""

    def __init__(self, schema: GraphQLSchema, seed: int, cursors: list[str]) -> None:
        self._schema, self._random, self._cursors = schema, random.Random(seed), cursors
        self.variables: dict[str, Any] = {}
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._aliases = 0

    def query(self) -> str:
        return self._operation("query", self._schema.query_type)

    def mutation(self) -> str:
        """Writes a mutation that finds the same rows when it is run again under the same key: it creates no row that it
        changes or deletes, and deletes no row that it changes or refers to."""
        return self._operation("mutation", self._schema.mutation_type)

    def _operation(self, word: str, kind: GraphQLObjectType | None) -> str:
        assert kind
        fields = self._fields(kind, 0, self._random.randint(1, 3))
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        return f"{word} Aleatoria{declared} {{ {fields} }} {' '.join(self._fragments)}"

    def _named(self, field: GraphQLField | GraphQLArgument | GraphQLInputField) -> GraphQLNamedType:
        """The field's type without its `[]` and `!`."""
        shown = str(getattr(field, "type"))  # noqa: B009  # graphql-core types it in part only
        return self._schema.type_map[shown.strip("[]!")]

    def _rng(self, probability: float) -> bool:
        return self._random.random() < probability

    def _variable(self, kind: str, value: Any) -> str:
        name = f"v{len(self._declared)}"
        self._declared.append(f"${name}: {kind}")
        self.variables[name] = value
        return f"${name}"

    def _alias(self) -> str:
        self._aliases += 1
        return f"a{self._aliases}: "

    def _fields(self, kind: GraphQLObjectType, depth: int, count: int | None = None) -> str:
        names = list(kind.fields)
        if depth >= DEPTH:
            names = [name for name in names if not is_composite_type(self._named(kind.fields[name]))]
        chosen = self._random.sample(names, min(len(names), count or self._random.randint(1, 4))) if names else []
        if kind is self._schema.query_type and self._rng(0.1):
            chosen.append("__type")
        if self._rng(0.2):
            chosen.append("__typename")
        if chosen and self._rng(0.2):
            chosen.append(self._random.choice(chosen))  # the same field twice: merged, or under another alias
        written = [self._field(kind, name, depth) for name in chosen] or ["__typename"]
        return " ".join(self._wrapped(kind, one) for one in written)

    def _field(self, kind: GraphQLObjectType, name: str, depth: int) -> str:
        if name == "__typename":
            return name
        if name == "__type":
            named = self._variable("String!", self._random.choice(["Pessoa", "Nada"]))
            return f"{self._alias()}__type(name: {named}){self._directive()} {{ name kind }}"
        field = kind.fields[name]
        below = self._named(field)
        # A field with arguments that appears twice under one response key could contradict itself, so it gets an alias
        # of its own.
        alias = self._alias() if field.args or self._rng(0.2) else ""
        return f"{alias}{name}{self._arguments(name, field)}{self._directive()}{self._selection(below, depth + 1)}"

    def _selection(self, kind: GraphQLNamedType, depth: int) -> str:
        if isinstance(kind, GraphQLObjectType):
            return f" {{ {self._fields(kind, depth)} }}"
        if not is_abstract_type(kind):
            return ""
        possible = self._schema.get_possible_types(kind)
        chosen = [f"... on {one.name} {{ {self._fields(one, depth)} }}" for one in possible if self._rng(0.7)]
        return f" {{ __typename {' '.join(chosen)} }}"

    def _directive(self) -> str:
        if not self._rng(0.15):
            return ""
        value = self._rng(0.6)
        kind = "Boolean!" if self._rng(0.5) else f"Boolean = {str(not value).lower()}"
        given = self._variable(kind, value) if self._rng(0.7) else str(value).lower()
        return f" @{self._random.choice(['include', 'skip'])}(if: {given})"

    def _wrapped(self, kind: GraphQLObjectType, written: str) -> str:
        if self._rng(0.1):
            return f"... on {kind.name}{self._directive()} {{ {written} }}"
        if self._rng(0.1):
            name = f"F{len(self._fragments)}"
            self._fragments.append(f"fragment {name} on {kind.name} {{ {written} }}")
            return f"...{name}"
        return written

    def _arguments(self, name: str, field: GraphQLField) -> str:
        given: dict[str, str] = {}
        if "id" in field.args:
            id = str(self._random.choice(IDS.get(name[:7], IDS["other"])))
            given["id"] = self._variable("ID!", id) if self._rng(0.5) else f'"{id}"'
        if "input" in field.args:
            kind = self._named(field.args["input"])
            assert isinstance(kind, GraphQLInputObjectType)
            value = self._input(kind)
            literal = ", ".join(f"{key}: {json.dumps(one)}" for key, one in value.items())
            given["input"] = self._variable(f"{kind.name}!", value) if self._rng(0.5) else f"{{{literal}}}"
        if "first" in field.args:
            if self._rng(0.8):
                size = self._random.choice([0, 1, 2, 3, 5, 5, 10, 1001, -1] if self._rng(0.2) else [1, 2, 3, 5])
                name = "last" if "last" in field.args and self._rng(0.25) else "first"
                given[name] = self._variable("Int", size) if self._rng(0.3) else str(size)
            if "after" in field.args and self._rng(0.2):
                cursor = self._random.choice([*self._cursors, "x"])
                given[self._random.choice(["after", "before"])] = f'"{cursor}"'
            if "orderBy" in field.args and self._rng(0.3):
                order = self._named(field.args["orderBy"])
                assert isinstance(order, GraphQLEnumType)
                given["orderBy"] = self._random.choice(list(order.values))
            if "filter" in field.args and self._rng(0.3):
                given["filter"] = self._filter(self._named(field.args["filter"]).name.removesuffix("Filter"))
        for name, argument in field.args.items():
            kind = str(getattr(argument, "type"))  # noqa: B009  # as above
            if name not in KNOWN and (kind.endswith("!") or self._rng(0.6)):
                value = self._literal(kind)
                given[name] = self._variable(kind, json.loads(value)) if value[0] != "{" and self._rng(0.4) else value
        return f"({', '.join(f'{name}: {value}' for name, value in given.items())})" if given else ""

    def _literal(self, kind: str) -> str:
        """A value for an argument that only this schema has."""
        kind = kind.removesuffix("!")
        if kind.startswith("["):
            return f"[{', '.join(self._literal(kind[1:-1]) for _ in range(self._random.randint(0, 3)))}]"
        named = self._schema.type_map[kind]
        if isinstance(named, GraphQLInputObjectType):
            chosen = [name for name in named.fields if self._rng(0.6)]
            return f"{{{', '.join(f'{name}: {self._literal(str(named.fields[name].type))}' for name in chosen)}}}"
        choices = {"Boolean": ["true", "false"], "Int": ["0", "1", "3"], "ID": ['"1"', '"2"', '"99"', '"x"']}
        return self._random.choice(choices.get(kind, ['"a"', '"é"']))

    def _input(self, kind: GraphQLInputObjectType) -> dict[str, str]:
        """A right or wrong value; members that may be left out are left out at random."""
        return {
            name: self._random.choice(["1", "2", "3", "999", "abc"] if name.endswith("Id") else [*NAMES, " "])
            for name, field in kind.fields.items()
            if str(getattr(field, "type")).endswith("!") or self._rng(0.7)  # noqa: B009  # as above
        }

    def _filter(self, noun: str, depth: int = 0) -> str:
        id = f'{{eq: "{self._random.randint(1, 12)}"}}'
        ids = f'{{in: ["{self._random.randint(1, 9)}", "2", "4"]}}'
        name = f'{{contains: "{self._random.choice(NAMES)}"}}'
        if noun == "Solicitacao":
            choices = [f"pessoaId: {ids}", f"id: {id}", 'dataSolicitacao: {gte: "2020-01-01T00:00:00Z"}']
            nested = self._random.choice(["Pessoa", "Servico", "Produto"])
            choices += [f"{nested.lower()}: {self._filter(nested, depth + 1)}"] * 2 if depth < 2 else []
        else:
            choices = [f"id: {ids}", f"nome{noun}: {name}"]
        if noun == "Produto" and depth < 2:
            choices.append(f"categoria: {self._filter('Categoria', depth + 1)}")
        if depth < 2:
            below = self._filter(noun, depth + 1)
            choices += [f"not: {below}", f"or: [{below}, {{id: {ids}}}]"]
        return f"{{{self._random.choice(choices)}}}"
