"""Clients who write and read through both gateways and straight at the services, and note everything in a history."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg

from chassis.db.change_triggers import MAX_TOLD
from chassis.db.database import FOLD_OPTION
from deploy.postgres import HOST
from tests.cache_checker.history import History, Name, Read, Row, Write
from tests.cache_checker.stage import READ_ALL, CheckedStage

OWNERS = {"pessoa": "pessoas", "servico": "servicos", "categoria": "catalogo", "produto": "catalogo"}
PATHS = {"pessoa": "pessoas", "servico": "servicos", "categoria": "categorias", "produto": "produtos"}
ROWS = {"pessoa": 10, "servico": 5, "categoria": 3, "produto": 8}
"""How many rows of each kind are written and read, again and again."""
WRITE_PAUSE, READ_PAUSE = 0.5, 0.05
"""Seconds between two writes of one writer and between two reads of one reader; each is varied by a half."""
WRITERS = 4
PATIENCE = 8.0
RETRY_PAUSE = 0.1


@dataclass
class Written:
    """A write that was acknowledged: its place among those of its row, and what `Read-After` said of it."""

    row: Row
    number: int
    gateway: str
    """Where it was written; empty for the service itself."""
    position: str


class Load:
    """The clients. With several `workers`, a client must name his own write to see it, also at the same gateway."""

    def __init__(self, stage: CheckedStage, history: History, workers: int, seed: int) -> None:
        self._stage, self._history, self._workers, self._rng = stage, history, workers, random.Random(seed)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self._rows: list[Row] = []
        self._busy: set[Row] = set()
        self._versions: Counter[Row] = Counter()
        self._open: dict[int, float] = {}
        """When the writes began that have not ended, whose rows may not be known yet."""
        self._newest_pessoa = 0
        self._narrow = ""
        """A token without the scope of pessoas."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=200)
        headers = {"Authorization": f"Bearer {self._stage.token()}"}
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE, limits=limits, headers=headers) as client:
            self._http = client
            await self._prepare()
            work: list[Coroutine[Any, Any, None]] = [
                self._for_ever(self._write_something, WRITE_PAUSE) for _ in range(WRITERS)
            ]
            work.append(self._for_ever(self._create_and_delete, WRITE_PAUSE))
            for gateway in self._stage.gateways:
                work += [self._for_ever(lambda gateway=gateway: self._read_all(gateway), READ_PAUSE) for _ in range(2)]
                work.append(self._for_ever(lambda gateway=gateway: self._read_without_scope(gateway), 4 * READ_PAUSE))
            work.append(self._for_ever(self._read_directly, 2 * READ_PAUSE))
            tasks = [asyncio.create_task(one) for one in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for ended in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(ended, Exception):
                        self.problems.append(f"the checker itself failed: {ended!r}")

    @property
    def settled(self) -> float:
        """All writes that began before this moment have ended."""
        return min(self._open.values(), default=time.monotonic())

    async def _for_ever(self, work: Callable[[], Coroutine[Any, Any, None]], pause: float) -> None:
        while True:
            await work()
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))

    async def _prepare(self) -> None:
        """Creates the rows. One categoria has more produtos than are told one by one when it is renamed."""
        for kind, count in ROWS.items():
            for n in range(count):
                body: dict[str, Any] = {f"nome_{kind}": "v0"}
                if kind == "produto":
                    categorias = [id for found, id in self._rows if found == "categoria"]
                    body["categoria_id"] = categorias[n % len(categorias)]
                answer = await self._http.post(self._url(kind), json=body)
                row = (kind, answer.raise_for_status().json()["id"])
                self._rows.append(row)
                self._history.begin(row, "v0")
        crowded = next(id for kind, id in self._rows if kind == "categoria")
        async with await psycopg.AsyncConnection.connect(
            self._stage.urls["catalogo"], options=FOLD_OPTION
        ) as connection:
            await connection.execute(
                "INSERT INTO produto (nome_produto, nome_busca, categoria_id) "
                "SELECT 'Um de muitos ' || n, 'um de muitos ' || n, %s FROM generate_series(1, %s) AS n",
                [crowded, MAX_TOLD + 1],
            )

    def _url(self, kind: str, id: int | None = None) -> str:
        path = f"http://{HOST}:{self._stage.port(OWNERS[kind])}/api/{PATHS[kind]}/"
        return path if id is None else f"{path}{id}/"

    # -- writes ------------------------------------------------------------------------------------------------

    async def _write_something(self) -> None:
        row = self._rng.choice([one for one in self._rows if one not in self._busy])
        self._busy.add(row)
        try:
            kind, id = row
            self._versions[row] += 1
            name = f"{kind} {id} v{self._versions[row]}"
            write = self._history.write(row, name, time.monotonic())
            gateway = self._rng.choice(["near", "far", ""])
            if gateway:
                field, member = kind.capitalize(), f"nome{kind.capitalize()}"
                field_and_input = f'atualizar{field}(id: "{id}", input: {{{member}: "{name}"}})'
                answer = await self._mutate(gateway, f"{field_and_input} {{ errors {{ code }} }}", write)
            else:
                answer = await self._send("PATCH", self._url(kind, id), {f"nome_{kind}": name}, write)
            number = self._history.rows[row].index(write)
            await self._read_own(Written(row, number, gateway, answer.headers.get("read-after", "")))
        finally:
            self._busy.discard(row)

    async def _create_and_delete(self) -> None:
        """A pessoa comes and goes; before and afterwards others ask for its id."""
        gateway, began = self._rng.choice(["near", "far", ""]), time.monotonic()
        name, number = f"passing {uuid.uuid4()}", id(object())
        self._open[number] = began
        if gateway:
            field = f'criarPessoa(input: {{nomePessoa: "{name}"}})'
            answer = await self._mutate(gateway, f"{field} {{ pessoa {{ id }} errors {{ code }} }}")
            created = int(answer.json()["data"]["w"]["pessoa"]["id"])
        else:
            answer = await self._send("POST", self._url("pessoa"), {"nome_pessoa": name})
            created = int(answer.json()["id"])
        write = self._history.write(("pessoa", created), name, began)
        write.ended = time.monotonic()
        self._newest_pessoa = max(self._newest_pessoa, created)
        del self._open[number]  # not when the run ends before the answer: then nobody knows which id it has
        await self._read_own(Written(("pessoa", created), 1, gateway, answer.headers.get("read-after", "")))
        await asyncio.sleep(self._rng.random() * 3)
        write = self._history.write(("pessoa", created), None, time.monotonic())
        if gateway:
            answer = await self._mutate(
                gateway, f'mutation {{ w: excluirPessoa(id: "{created}") {{ errors {{ code }} }} }}', write
            )
        else:
            answer = await self._send("DELETE", self._url("pessoa", created), None, write)
        await self._read_own(Written(("pessoa", created), 2, gateway, answer.headers.get("read-after", "")))

    async def _mutate(self, gateway: str, field: str, write: Write | None = None) -> httpx2.Response:
        url = f"http://{HOST}:{self._stage.gateways[gateway]}/graphql"
        return await self._send("POST", url, {"query": f"mutation {{ w: {field} }}"}, write)

    async def _send(self, method: str, url: str, body: Any, write: Write | None = None) -> httpx2.Response:
        """Sends a write under one key until it is acknowledged. So it takes effect once, whatever happens meanwhile."""
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "return=representation, read-after"}
        while True:
            try:
                answer = await self._http.request(method, url, json=body, headers=headers)
            except httpx2.TransportError:
                self.counts["write retried"] += 1
                await asyncio.sleep(RETRY_PAUSE)
                continue
            if answer.status_code in (200, 201, 204) and self._is_done(answer):
                if write:
                    write.ended = time.monotonic()
                self.counts["writes"] += 1
                return answer
            if answer.status_code == 404 and method == "DELETE":  # an earlier attempt was done and is no longer known
                self.problems.append(f"{method} {url}: 404")
            self.counts["write retried"] += 1
            await asyncio.sleep(RETRY_PAUSE)

    @staticmethod
    def _is_done(answer: httpx2.Response) -> bool:
        found: dict[str, Any] = answer.json() if answer.content else {}
        return not ("errors" in found or ("data" in found and (found["data"] is None or found["data"]["w"]["errors"])))

    # -- reads -------------------------------------------------------------------------------------------------

    async def _read_own(self, written: Written) -> None:
        """Who has written must see it: at the same process at once, and elsewhere if he names it."""
        position = written.position
        if position and not written.gateway:
            position = f"{OWNERS[written.row[0]]}:{position}"
        for gateway in self._stage.gateways:
            same = gateway == written.gateway and self._workers == 1
            if same or position:
                headers = {} if same else {"Read-After": position}
                await self._query(gateway, [written.row], headers, written.number)

    async def _read_all(self, gateway: str) -> None:
        rows = [row for row in self._rows if row[0] != "categoria"]
        rows += [("pessoa", self._newest_pessoa + n) for n in range(-2, 3) if self._newest_pessoa]
        await self._query(gateway, rows, {}, 0)

    async def _query(self, gateway: str, rows: list[Row], headers: dict[str, str], at_least: int) -> None:
        fields = ""
        for kind, id in rows:
            shown = f"nome{kind.capitalize()}"
            more = " categoria { id nomeCategoria }" if kind == "produto" else ""
            fields += f'{kind}{id}: {kind}(id: "{id}") {{ {shown}{more} }} '
        began = time.monotonic()
        answer = await self._ask(gateway, f"{{ {fields} }}", headers)
        ended = time.monotonic()
        if answer is None:
            return
        failed = {error["path"][0] for error in answer.get("errors", ()) if error.get("path")}
        stale = answer.get("extensions", {}).get("stale", {})

        def note(row: Row, value: Name, number: int) -> None:
            self._history.reads.append(Read(row, value, began, ended, gateway, number, stale=OWNERS[row[0]] in stale))

        for kind, id in rows:
            alias = f"{kind}{id}"
            if alias in failed:
                self.counts["rows that could not be read"] += 1
                continue
            found = answer["data"][alias]
            note((kind, id), found and found[f"nome{kind.capitalize()}"], at_least)
            if kind == "produto" and found:
                categoria = found["categoria"]
                note(("categoria", int(categoria["id"])), categoria["nomeCategoria"], 0)

    async def _ask(self, gateway: str, query: str, headers: dict[str, str]) -> dict[str, Any] | None:
        """The answer of a gateway; None if there is none."""
        try:
            url = f"http://{HOST}:{self._stage.gateways[gateway]}/graphql"
            answer = await self._http.post(url, json={"query": query}, headers=headers)
        except httpx2.TransportError:
            self.counts["reads without an answer"] += 1
            return None
        found: dict[str, Any] = answer.json()
        for error in found.get("errors", ()):
            code = error["extensions"]["code"]
            if code not in ("UNAVAILABLE", "TIMEOUT", "FORBIDDEN"):
                self.problems.append(f"{gateway}: {error}")
        self.counts["reads"] += 1
        return found if found.get("data") else None

    async def _read_without_scope(self, gateway: str) -> None:
        """A caller without the scope of pessoas is shown none, whatever others have read."""
        if not self._narrow:
            self._narrow = self._stage.token(*(one for one in READ_ALL if one != "pessoas:read"))
        id = next(id for kind, id in self._rows if kind == "pessoa")
        query = f'{{ pessoa(id: "{id}") {{ nomePessoa }} servicos(first: 1) {{ nodes {{ id }} }} }}'
        answer = await self._ask(gateway, query, {"Authorization": f"Bearer {self._narrow}"})
        if answer and answer["data"]["pessoa"] is not None:
            self.problems.append(f"{gateway}: shown without the scope: {answer}")

    async def _read_directly(self) -> None:
        kind, id = self._rng.choice(self._rows)
        began = time.monotonic()
        try:
            answer = await self._http.get(self._url(kind, id))
        except httpx2.TransportError:
            return
        if answer.status_code == 200:
            value = answer.json()[f"nome_{kind}"]
            self._history.reads.append(Read((kind, id), value, began, time.monotonic(), "service", direct=True))
