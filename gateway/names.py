"""Translates names: REST has `nome_pessoa` where GraphQL has `nomePessoa`."""

import re


def snake(name: str) -> str:
    """The snake_case form of a type's name: `nota_fiscal` for `NotaFiscal`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    """The camelCase form of a snake_case name: `nomePessoa` for `nome_pessoa`.

    Each part of a dotted path is translated. A trailing underscore (`in_`), which Python needs for its keywords, is
    dropped.
    """

    def one(part: str) -> str:
        head, *rest = part.rstrip("_").split("_")
        return head + "".join(word.capitalize() for word in rest)

    return ".".join(map(one, name.split(".")))
