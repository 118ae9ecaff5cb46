"""Our dialect as a client: what a neighbour refuses is raised as what it was, and what it garbles is unavailable."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest

from chassis.errors import Conflict, DeadlineExceeded, Invalid, NotFound, PreconditionFailed, Refusal, Unavailable
from chassis.remote import Remote

Answer = Callable[[httpx2.Request], Any]


def remote(answer: Answer, seconds: float = 5.0) -> Remote:
    async def handle(request: httpx2.Request) -> httpx2.Response:
        found = answer(request)
        return await found if asyncio.iscoroutine(found) else found

    return Remote("pessoas", "http://pessoas.test", timeout=seconds, transport=httpx2.MockTransport(handle))


async def refused(answer: Answer, seconds: float = 5.0) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await remote(answer, seconds).read("GET", "/api/pessoas/1/", orjson.loads)
    return raised.value


def answers(response: httpx2.Response) -> Answer:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return response

    return answer


def problem(status: int, code: str) -> Answer:
    errors = [{"field": "nome_pessoa", "code": "BLANK", "message": "não pode ficar em branco"}]
    return answers(httpx2.Response(status, json={"code": code, "detail": "porque sim", "errors": errors}))


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (412, PreconditionFailed), (422, Invalid)]
)
async def test_a_refusal_is_raised_as_the_class_it_was(status: int, kind: type[Refusal]) -> None:
    refusal = await refused(problem(status, "ANY"))

    assert type(refusal) is kind
    assert (refusal.code, refusal.detail, refusal.service) == ("ANY", "porque sim", "pessoas")
    assert [error.field for error in refusal.errors] == ["nome_pessoa"]


@pytest.mark.parametrize(
    "answer",
    [
        problem(500, "INTERNAL"),
        problem(503, "UNAVAILABLE"),
        answers(httpx2.Response(404, text="not our 404")),
        answers(httpx2.Response(418, json={"code": "TEAPOT"})),
        answers(httpx2.Response(200, content=b'{"id": 1, "nome_')),
        answers(httpx2.Response(200, content=b"<html>")),
        answers(httpx2.Response(422, json=["not", "a", "problem"])),
        answers(httpx2.Response(422, json={"code": "X", "errors": [{"no": "field"}]})),
        answers(httpx2.Response(422, json={"code": "X", "errors": 5})),
    ],
)
async def test_a_fault_or_garbage_is_unavailable(answer: Answer) -> None:
    refusal = await refused(answer)

    assert type(refusal) is Unavailable
    assert refusal.service == "pessoas"


@pytest.mark.parametrize("failure", [httpx2.ConnectError, httpx2.ReadError, httpx2.RemoteProtocolError])
async def test_a_neighbour_that_cannot_be_reached_is_unavailable(failure: type[Exception]) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise failure("cut")

    assert type(await refused(answer)) is Unavailable


async def test_a_neighbour_that_does_not_answer_in_time_is_a_time_out() -> None:
    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    assert type(await refused(never, seconds=0.05)) is DeadlineExceeded
