"""The floor: a bare ASGI application, psycopg and orjson, nothing checked."""

import os
from typing import Any
from urllib.parse import parse_qs

import orjson
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

POOL: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    min_size=1,
    max_size=10,
    open=False,
    kwargs={"autocommit": True, "row_factory": dict_row},
)
BULK = "SELECT id, nome_pessoa FROM pessoa WHERE id = ANY(%s) ORDER BY id LIMIT 1000"
LIST = "SELECT id, nome_pessoa FROM pessoa ORDER BY id LIMIT %s"


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await (POOL.open() if message["type"] == "lifespan.startup" else POOL.close())
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    query = parse_qs(scope["query_string"].decode())
    async with POOL.connection() as connection:
        if "id" in query:
            cursor = await connection.execute(BULK, [list(map(int, query["id"][0].split(",")))])
        else:
            cursor = await connection.execute(LIST, [int(query["page_size"][0])])
        body = orjson.dumps(await cursor.fetchall())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
