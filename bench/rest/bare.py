"""The floor: a bare ASGI application with psycopg and orjson that checks nothing."""

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
ONE = "SELECT id, nome_pessoa FROM pessoa WHERE id = %s"
ADD = "INSERT INTO pessoa (nome_pessoa) VALUES (%s) RETURNING id, nome_pessoa"
CHANGE = "UPDATE pessoa SET nome_pessoa = %s WHERE id = %s RETURNING id, nome_pessoa"


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await (POOL.open() if message["type"] == "lifespan.startup" else POOL.close())
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    query, status = parse_qs(scope["query_string"].decode()), 200
    member = scope["path"].split("/")[3]
    written: Any = orjson.loads((await receive())["body"]) if scope["method"] != "GET" else None
    async with POOL.connection() as connection:
        if scope["method"] == "POST":
            status = 201
            cursor = await connection.execute(ADD, [written["nome_pessoa"]])
        elif scope["method"] == "PUT":
            cursor = await connection.execute(CHANGE, [written["nome_pessoa"], int(member)])
        elif member:
            cursor = await connection.execute(ONE, [int(member)])
        elif "id" in query:
            cursor = await connection.execute(BULK, [list(map(int, query["id"][0].split(",")))])
        else:
            cursor = await connection.execute(LIST, [int(query["page_size"][0])])
        rows = await cursor.fetchall()
    body = orjson.dumps(rows[0] if member or status == 201 else rows)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
