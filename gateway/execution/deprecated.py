"""What of the schema an operation uses although it is `@deprecated`, by coordinates such as `Pessoa.nomePessoa`."""

from typing import Any, cast

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    separate_operations,
    visit,
)


def has_deprecated(schema: GraphQLSchema) -> bool:
    """Whether anything in the schema is deprecated; if not, no operation needs to be looked through."""
    members: list[Any] = []
    for kind in schema.type_map.values():
        if kind.name.startswith("__"):
            continue
        if isinstance(kind, GraphQLEnumType):
            members += kind.values.values()
        elif isinstance(kind, GraphQLInputObjectType | GraphQLInterfaceType | GraphQLObjectType):
            members += kind.fields.values()
            members += (arg for field in kind.fields.values() for arg in getattr(field, "args", {}).values())
    return any(one.deprecation_reason is not None for one in members)


def deprecated_uses(schema: GraphQLSchema, document: DocumentNode, name: str | None) -> tuple[str, ...]:
    """The coordinates of everything deprecated that an operation names, in fragments too. What a variable brings is not
    written in the document, so it is not found."""
    types = TypeInfo(schema)
    uses = _Uses(types)
    visit(separate_operations(document)[name or ""], TypeInfoVisitor(types, uses))
    return tuple(sorted(uses.found))


class _Uses(Visitor):
    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types: Any = types  # graphql-core types its input types in part only
        self.found = set[str]()

    def _add(self, member: Any, coordinate: str) -> None:
        if member and member.deprecation_reason is not None:
            self.found.add(coordinate)

    def enter_field(self, *_: Any) -> None:
        parent, field = self._types.get_parent_type(), self._types.get_field_def()
        if parent and field:
            self._add(field, f"{parent.name}.{_name_in(parent, field)}")

    def enter_argument(self, node: Any, *_: Any) -> None:
        parent, field = self._types.get_parent_type(), self._types.get_field_def()
        if parent and field and (argument := self._types.get_argument()):
            self._add(argument, f"{parent.name}.{_name_in(parent, field)}({node.name.value}:)")

    def enter_object_field(self, node: Any, *_: Any) -> None:
        parent = cast("Any", get_named_type(self._types.get_parent_input_type()))
        if isinstance(parent, GraphQLInputObjectType):
            self._add(parent.fields.get(node.name.value), f"{parent.name}.{node.name.value}")

    def enter_enum_value(self, node: Any, *_: Any) -> None:
        kind = cast("Any", get_named_type(self._types.get_input_type()))
        if isinstance(kind, GraphQLEnumType):
            self._add(kind.values.get(node.value), f"{kind.name}.{node.value}")


def _name_in(parent: Any, field: Any) -> str:
    return next((name for name, one in getattr(parent, "fields", {}).items() if one is field), "")
