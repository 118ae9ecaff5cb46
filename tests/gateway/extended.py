"""The gateway's schema with resolvers added to its source: those of docs/extending.md, and one of every kind."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import gateway.schema
from deploy.local import ROOT

SOURCE = Path(str(gateway.schema.__file__)).parent
EXISTING_CLASS = re.compile(r"(?m)^(?:@strawberry\.type.*\n)?class (\w+).*:\n    \.\.\.\n")
"""The head of a class that the schema has already; `...` stands for its members."""


class SchemaSource:
    """A copy of `gateway/schema` in `folder`, to which fields can be added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "schema"
        shutil.copytree(SOURCE, self.folder, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, code: str) -> SchemaSource:
        """Adds code as a document shows it: imports, new definitions, and classes that exist, with `...` for what they
        have already."""
        headers = [*EXISTING_CLASS.finditer(code)]
        ends = [header.start() for header in headers[1:]] + [len(code)]
        for n, (header, end) in enumerate(zip(headers, ends, strict=True)):
            self._add_members(code[: header.start()] if n == 0 else "", header[1], code[header.end() : end])
        return self

    def _add_members(self, top: str, name: str, members: str) -> None:
        pattern = re.compile(rf"(?m)^class {name}\b.*:\n")
        [path] = [path for path in self.folder.glob("*.py") if pattern.search(path.read_text())]
        text = pattern.sub(lambda found: found[0] + members.rstrip() + "\n\n", path.read_text(), count=1)
        start = text.index("\n@strawberry.type")
        path.write_text(text[:start] + "\n" + top + text[start:])

    @contextmanager
    def loaded(self) -> Generator[ModuleType]:
        """This source as `gateway.schema`, for as long as the context lasts."""
        before = {name: sys.modules.pop(name) for name in [*sys.modules] if f"{name}.".startswith("gateway.schema.")}
        spec = spec_from_file_location(
            "gateway.schema", self.folder / "__init__.py", submodule_search_locations=[str(self.folder)]
        )
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        try:
            sys.modules["gateway.schema"] = gateway.schema = module
            spec.loader.exec_module(module)
            yield module
        finally:
            for name in [name for name in sys.modules if f"{name}.".startswith("gateway.schema.")]:
                del sys.modules[name]
            sys.modules.update(before)
            gateway.schema = before["gateway.schema"]


def documented() -> list[str]:
    """The code that docs/extending.md shows under `Add a resolver`, block by block."""
    section = (ROOT / "docs/extending.md").read_text().split("\n## Add a resolver\n")[1].split("\n## ")[0]
    return re.findall(r"(?s)```python\n(.*?)```", section)


OF_EVERY_KIND = """
import asyncio
from enum import Enum
from typing import Annotated, Any, Union

from gateway.context import Info
from gateway.schema.connection import ConnectionSource
from gateway.schema.fields import resource_of
from strawberry.extensions import FieldExtension
from strawberry.permission import BasePermission, PermissionExtension
import strawberry as st

@st.enum
class Tamanho(Enum):
    CURTO = "c"
    LONGO = "l"

@st.input
class Moldura:
    antes: str = "<"
    depois: list[str] | None = None

class Pares(BasePermission):
    message = "só para ids pares"

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        return int(source.id) % 2 == 0

class Assincrona(BasePermission):
    message = "só para ids ímpares"
    error_extensions = {"code": "NOT_FOUND"}

    async def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        await asyncio.sleep(0)
        return int(source.id) % 2 == 1

class Gritado(FieldExtension):
    def resolve(self, next_: Any, source: Any, info: Any, **kwargs: Any) -> Any:
        return next_(source, info, **kwargs).upper()

@st.interface
class Nomeado:
    nome: str

@st.type
class Rotulo(Nomeado):
    pessoa: "Pessoa"
    outras: list["Pessoa"]

    @st.field
    async def dobro(self) -> str:
        return self.nome * 2

    @st.field
    def solicitada(self, info: Info) -> Solicitacao | None:
        return info.context.loaders.row(resource_of(Solicitacao), self.pessoa.id)

@st.type
class Vazio(Nomeado):
    motivo: str | None

    @st.field
    def exigido(self) -> str:
        raise ValueError("exigido")

@strawberry.type
class Pessoa:
    ...
    @st.field
    def com(self, moldura: Moldura | None = None, vezes: int = 1, gritando: bool = False) -> str | None:
        antes, depois = (moldura.antes, moldura.depois or []) if moldura else ("", [])
        texto = (antes + self.nome_pessoa + "".join(depois)) * vezes
        return texto.upper() if gritando else texto or None

    @st.field
    def tamanho(self) -> Tamanho:
        return Tamanho.CURTO if len(self.nome_pessoa) < 7 else Tamanho.LONGO

    @st.field
    async def colegas(self, info: Info, first: int = 2) -> list["Pessoa"]:
        ids = range(int(self.id) + 1, int(self.id) + 1 + min(first, 5))
        found = await asyncio.gather(*[info.context.loaders.row(resource_of(Pessoa), id) for id in ids])
        return [one for one in found if one]

    @st.field
    def vizinhos(self, info: Info) -> list["Pessoa | None"] | None:
        return [info.context.loaders.row(resource_of(Pessoa), int(self.id) + n) for n in (1, 2)]

    @st.field
    def proximas(self, info: Info) -> list["Pessoa"] | None:
        return [info.context.loaders.row(resource_of(Pessoa), int(self.id) + n) for n in (1, 2)]

    @st.field
    async def letras(self) -> list[str]:
        async def uma_a_uma():
            for letra in self.nome_pessoa[:3]:
                yield letra
        return uma_a_uma()

    @st.field
    def falha(self) -> str | None:
        if int(self.id) % 3 == 0:
            raise ValueError("uma falha")
        return "certa"

    @st.field
    async def obrigatoria(self) -> str:
        await asyncio.sleep(0)
        if int(self.id) % 5 == 0:
            raise ValueError("uma falha")
        return None if int(self.id) % 7 == 0 else "certa"

    @st.field(permission_classes=[Pares])
    def protegida(self) -> str | None:
        return self.apelido()

    def apelido(self) -> str:
        return self.nome_pessoa[:2]

    @st.field(permission_classes=[Assincrona])
    async def escondida(self) -> str | None:
        return "escondida"

    @st.field(extensions=[PermissionExtension([Pares()], use_directives=False, fail_silently=True)])
    def calada(self) -> list[str]:
        return ["a"]

    @st.field(extensions=[Gritado()])
    def gritada(self) -> str:
        return self.nome_pessoa

    @st.field
    async def rotulo(self, info: Info) -> Rotulo:
        return Rotulo(nome=self.nome_pessoa, pessoa=self, outras=[self, Pessoa(id="3", nome_pessoa="Feita à mão")])

    @st.field
    def nomeado(self) -> Nomeado | None:
        return Vazio(nome="vazio", motivo=None) if int(self.id) % 2 else Rotulo(nome="a", pessoa=self, outras=[])

    @st.field
    async def achado(self, info: Info) -> Annotated[Union["Pessoa", Solicitacao, Vazio], st.union("Achado")] | None:
        if int(self.id) % 4 == 0:
            return Vazio(nome="vazio", motivo="quatro")
        kind = Solicitacao if int(self.id) % 2 else Pessoa
        return await info.context.loaders.row(resource_of(kind), self.id)

    @st.field
    async def recentes(self, info: Info, first: int = 2) -> Connection[Solicitacao] | None:
        query = {"ordering": "-id", "first": max(0, min(first, 5)), "count": True}
        page = await info.context.loaders.child_page(resource_of(Solicitacao), "pessoa_id", self.id, query)
        return ConnectionSource(page, "id")

    @st.field
    def pelo_pai(pai: st.Parent["Pessoa"]) -> str:
        return pai.nome_pessoa

    @st.field
    def pela_raiz(root: "Pessoa", info: Info) -> str:
        return f"{info.field_name} {info.context.loaders.filter_max_ids} {root.nome_pessoa}"

class Categoria:
    ...
    @strawberry.field
    def sigla(self) -> str:
        if int(self.id) % 2 == 0:
            raise ValueError("uma falha")
        return self.nome_categoria[0]

class Produto:
    ...
    @strawberry.field
    def completo(self) -> str:
        return f"{self.nome_produto} ({self.categoria.nome_categoria})"

class Connection(Generic[N]):
    ...
    @strawberry.field
    def vazia(self) -> bool:
        return not self.nodes

class Edge(Generic[N]):
    ...
    @strawberry.field
    def do_cursor(self) -> int:
        return len(self.cursor)

class Payload:
    ...
    @strawberry.field
    def quantos(self) -> int:
        return len(self.errors)

class Query(_joined(queries)):
    ...
    @strawberry.field
    async def exigida(self, falhar: bool = False) -> str:
        if falhar:
            raise ValueError("uma falha")
        return "certa"

    @strawberry.field
    async def nada(self, info: strawberry.Info) -> None:
        return None
"""
"""Resolvers of every kind: synchronous and not, with arguments, permissions and extensions, of scalars, enums, lists,
objects of ours and of others, connections, interfaces and unions; some fail, or are null where null is not allowed."""
