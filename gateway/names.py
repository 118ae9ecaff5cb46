"""Names: REST writes `nome_pessoa`, GraphQL `nomePessoa`."""


def camel(name: str) -> str:
    """`nome_pessoa` as `nomePessoa`; a dotted path part by part; a trailing underscore (`in_`) is Python's own."""

    def one(part: str) -> str:
        head, *rest = part.rstrip("_").split("_")
        return head + "".join(word.capitalize() for word in rest)

    return ".".join(map(one, name.split(".")))
