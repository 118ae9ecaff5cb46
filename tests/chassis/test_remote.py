"""The client of our dialect: a neighbour's refusal is raised as the same error, and a garbled answer is
`Unavailable`."""

import asyncio
import itertools
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import orjson
import pytest

from chassis.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Refusal,
    Unavailable,
)
from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.remote import Remote
from chassis.neighbours.transport import AnswerMemory
from chassis.request import deadline
from deploy.postgres import free_ports
from tests.chassis.peers import until
from tests.deploy.processes import WAIT_SECONDS
from tests.neighbours import remote

pytestmark = pytest.mark.usefixtures("scripted")

Answer = Callable[[httpx2.Request], Any]


async def refused(answer: Answer, **settings: Any) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await remote(answer, **settings).read("/api/pessoas/1/", orjson.loads)
    return raised.value


def answers(response: httpx2.Response) -> Answer:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return response

    return answer


def problem(status: int, code: str) -> Answer:
    errors = [{"field": "nome_pessoa", "code": "BLANK", "message": "não pode ficar em branco"}]
    return answers(httpx2.Response(status, json={"code": code, "detail": "porque sim", "errors": errors}))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, PreconditionFailed),
        (422, Invalid),
        (429, RateLimited),
    ],
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
        answers(httpx2.Response(200, content=b"[" * 100_000)),
        answers(httpx2.Response(422, json=["not", "a", "problem"])),
        answers(httpx2.Response(422, json={"code": "X", "errors": [{"no": "field"}]})),
        answers(httpx2.Response(422, json={"code": "X", "errors": 5})),
    ],
)
async def test_a_fault_or_garbage_is_unavailable(answer: Answer) -> None:
    refusal = await refused(answer)

    assert type(refusal) is Unavailable
    assert refusal.service == "pessoas"


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 300, 301, 302, 304, 307, 308])
async def test_a_read_is_answered_by_200_alone(status: int) -> None:
    refusal = await refused(answers(httpx2.Response(status, json={"id": 1}, headers={"Location": "/elsewhere/"})))

    assert type(refusal) is Unavailable
    assert refusal.service == "pessoas"


REPRESENTATION = {"Prefer": "return=representation"}


def or_empty(content: bytes) -> Any:
    """What the content says; an answer with the status 204 has none."""
    return orjson.loads(content or b'{"id": 1}')


@pytest.mark.parametrize(
    ("method", "headers", "good"),
    [
        ("POST", {}, 201),
        ("PUT", {}, 200),
        ("PATCH", {}, 200),
        ("PATCH", REPRESENTATION, 200),
        ("DELETE", {}, 204),
        ("DELETE", REPRESENTATION, 200),
    ],
)
async def test_a_write_is_done_by_the_status_of_its_method_alone(
    method: str, headers: dict[str, str], good: int
) -> None:
    for status in (200, 201, 202, 204, 206, 302, 307):
        asking = remote(answers(httpx2.Response(status, json={"id": 1})))

        found = await outcome(asking.write(method, "/api/pessoas/1/", or_empty, {}, headers))

        assert (found == {"id": 1}) is (status == good), (status, found)
        assert status == good or type(found) is Unavailable


async def test_who_judges_our_callers_token_otherwise_than_we_is_unavailable() -> None:
    """We have already judged the caller's token, so a neighbour's 401 is not the caller's fault."""
    asking = remote(problem(401, "UNAUTHENTICATED"))

    refusals = [await outcome(asking.read(*READ)) for _ in range(30)]

    assert {type(refusal) for refusal in refusals} == {Unavailable}
    assert {refusal.service for refusal in refusals} == {"pessoas"}
    assert not asking.breaker.open, "one caller's token must not close the door on all others"


WHEN = {
    "37": 37,
    " 7 ": 7,
    "0": 1,
    "Sun, 06 Nov 1994 08:49:37 GMT": 1,
    "soon": None,
    "-5": None,
    "1.5": None,
    "": None,
    "9" * 5000: None,
    "Mon, 01 Jan 99999 00:00:00 GMT": None,
}


@pytest.mark.parametrize("status", [409, 429, 500, 503])
@pytest.mark.parametrize("said", WHEN, ids=lambda said: said[:10])
async def test_when_to_come_back_travels_on(status: int, said: str) -> None:
    refusal = await refused(
        answers(httpx2.Response(status, json={"code": "X", "detail": "depois"}, headers={"Retry-After": said}))
    )

    nobody_said = 1 if status == 429 else None
    assert refusal.retry_after == (WHEN[said] or nobody_said)
    assert refusal.headers.get("Retry-After") == (str(WHEN[said] or 1) if WHEN[said] or status != 409 else None)


async def test_a_date_to_come_back_at_is_so_many_seconds_away() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    refusal = await refused(answers(httpx2.Response(503, headers={"Retry-After": date})))

    assert refusal.retry_after
    assert 3000 < refusal.retry_after <= 3600


@pytest.mark.parametrize("failure", [httpx2.ReadError, httpx2.RemoteProtocolError])
async def test_a_neighbour_that_cannot_be_reached_is_unavailable(failure: type[Exception]) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise failure("cut")

    assert type(await refused(answer)) is Unavailable


async def test_a_neighbour_that_does_not_answer_in_time_is_a_time_out() -> None:
    async def never(_request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    assert type(await refused(never, neighbour_timeout=0.05)) is DeadlineExceeded


# -- patience -----------------------------------------------------------------------------------------------------


class Neighbour:
    """A neighbour that follows its script, repeats the last line for ever, and remembers its requests."""

    def __init__(self, *script: httpx2.Response | type[Exception] | asyncio.Event) -> None:
        self.asked: list[httpx2.Request] = []
        self._script = itertools.chain(script, itertools.repeat(script[-1]))

    def __call__(self, request: httpx2.Request) -> Any:
        self.asked.append(request)
        return self._answer(next(self._script))

    async def _answer(self, line: httpx2.Response | type[Exception] | asyncio.Event) -> httpx2.Response:
        if isinstance(line, asyncio.Event):
            await line.wait()
            return GOOD
        if isinstance(line, type):
            raise line("as the script says")
        return line


GOOD = httpx2.Response(200, json={"id": 1})
READ = ("/api/pessoas/1/", orjson.loads)
KEYED = {"Idempotency-Key": "k"}


async def outcome(calling: Any) -> Any:
    """The value of a call, or its refusal."""
    try:
        return await calling
    except Refusal as refusal:
        return refusal


@pytest.mark.parametrize("failure", [httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.ReadTimeout])
async def test_a_read_whose_answer_is_lost_is_made_once_more(failure: type[Exception]) -> None:
    neighbour = Neighbour(failure, GOOD)

    assert await remote(neighbour).read(*READ) == {"id": 1}
    assert len(neighbour.asked) == 2


async def test_a_read_is_made_twice_at_most() -> None:
    neighbour = Neighbour(httpx2.ReadError)

    assert type(await outcome(remote(neighbour).read(*READ))) is Unavailable
    assert len(neighbour.asked) == 2


@pytest.mark.parametrize("answer", [problem(500, "INTERNAL"), problem(503, "UNAVAILABLE"), problem(404, "NOT_FOUND")])
async def test_what_a_neighbour_answers_is_not_asked_again(answer: Answer) -> None:
    neighbour = Neighbour(answer(httpx2.Request("GET", "http://pessoas.test")))

    assert isinstance(await outcome(remote(neighbour).read(*READ)), Refusal)
    assert len(neighbour.asked) == 1


@pytest.mark.parametrize(
    ("failure", "headers", "calls"),
    [
        (httpx2.ReadError, {}, 1),  # nobody knows whether it was done
        (httpx2.ReadError, KEYED, 2),
        (httpx2.ReadTimeout, KEYED, 2),
    ],
)
async def test_a_write_is_repeated_only_where_that_does_no_harm(
    failure: type[Exception], headers: dict[str, str], calls: int
) -> None:
    neighbour = Neighbour(failure)

    answer = await outcome(remote(neighbour).write("POST", "/api/pessoas/", orjson.loads, {}, headers))

    assert isinstance(answer, Refusal)
    assert len(neighbour.asked) == calls
    assert len({request.headers.get("idempotency-key") for request in neighbour.asked}) == 1


async def test_a_write_that_could_not_be_sent_is_tried_once_more() -> None:
    asking = Remote("closed", f"http://127.0.0.1:{free_ports()}")

    answer = await outcome(asking.write("POST", "/api/pessoas/", orjson.loads, {}))

    assert type(answer) is Unavailable
    assert asking.calls.retries.value == 1


async def test_retries_are_a_tenth_of_the_calls_when_everything_fails() -> None:
    neighbour = Neighbour(httpx2.ReadError)
    asking = remote(neighbour, breaker_share=0)

    for _ in range(200):
        await outcome(asking.read(*READ))

    assert len(neighbour.asked) - 200 == 10 + 20 - 1, "ten at hand, and a tenth of each call"


async def test_a_neighbour_that_keeps_failing_is_left_alone_until_a_probe_finds_it_ready() -> None:
    neighbour = Neighbour(*[httpx2.ReadError] * 12, GOOD)
    asking = remote(neighbour, retry_budget=0)
    for _ in range(10):
        await outcome(asking.read(*READ))
    assert asking.breaker.open

    refusal = await outcome(asking.read(*READ))

    assert type(refusal) is Unavailable
    assert len(neighbour.asked) == 10, "it was not asked"
    await until(lambda: not asking.breaker.open, "the breaker closes")
    assert await asking.read(*READ) == {"id": 1}
    assert [request.url.path for request in neighbour.asked[10:]] == ["/health/ready"] * 3 + ["/api/pessoas/1/"]


async def test_half_of_the_calls_must_fail_before_the_breaker_opens() -> None:
    neighbour = Neighbour(*[GOOD] * 11, httpx2.ReadError)
    asking = remote(neighbour, retry_budget=0)

    for _ in range(21):
        await outcome(asking.read(*READ))
        assert not asking.breaker.open
    await outcome(asking.read(*READ))

    assert asking.breaker.open
    await asking.breaker.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        httpx2.Response(307, json={"id": 1}),
        httpx2.Response(202, json={"id": 1}),
        httpx2.Response(200, content=b"<html>"),
        httpx2.Response(404, text="a proxy's own page"),
    ],
)
@pytest.mark.parametrize("writes", [False, True], ids=["read", "write"])
async def test_an_answer_that_is_none_is_one_failed_call_and_no_good_one(
    nonsense: httpx2.Response, writes: bool
) -> None:
    """Every call must fail here before the breaker opens."""
    asking = remote(Neighbour(*[nonsense] * 10, httpx2.ReadError), breaker_share=1)

    for _ in range(10):
        assert not asking.breaker.open
        call = asking.write("DELETE", "/api/pessoas/1/", orjson.loads) if writes else asking.read(*READ)
        assert type(await outcome(call)) is Unavailable

    assert asking.breaker.open
    await asking.breaker.close()


async def test_what_is_refused_with_reason_is_a_good_answer() -> None:
    gone = httpx2.Response(404, json={"code": "NOT_FOUND"})
    asking = remote(Neighbour(*[gone] * 11, httpx2.ReadError), retry_budget=0)

    for _ in range(21):
        await outcome(asking.read(*READ))

    assert not asking.breaker.open, "ten of twenty-one have failed"


async def test_a_fault_further_away_is_named_and_is_not_this_neighbours() -> None:
    away = httpx2.Response(503, json={"code": "UNAVAILABLE", "detail": "", "service": "catalogo"})
    asking = remote(Neighbour(away))

    refusals = [await outcome(asking.read(*READ)) for _ in range(30)]

    assert {refusal.service for refusal in refusals} == {"catalogo"}
    assert not asking.breaker.open


async def test_a_neighbour_that_can_only_not_write_is_still_read() -> None:
    full = httpx2.Response(503, json={"code": "UNAVAILABLE", "detail": ""})
    asking = remote(Neighbour(*[full] * 30, GOOD))

    for _ in range(30):
        assert type(await outcome(asking.write("POST", "/api/pessoas/", orjson.loads, {}))) is Unavailable

    assert not asking.breaker.open
    assert await asking.read(*READ) == {"id": 1}


async def test_too_much_at_a_time_is_nobodys_fault_and_not_asked_for_again() -> None:
    neighbour = Neighbour(httpx2.Response(200, content=b"x" * 2_000_000))
    asking = remote(neighbour, max_answers_bytes=1_000_000)

    refusals = [await outcome(asking.read(*READ)) for _ in range(12)]

    assert {(type(one), one.service) for one in refusals} == {(Unavailable, "pessoas")}
    assert len(neighbour.asked) == 12
    assert not asking.breaker.open


async def test_what_does_not_decode_is_not_kept_with_the_failure() -> None:
    seen: list[bytes] = []

    def decode(content: bytes) -> None:
        seen[:] = [content]
        del content
        raise ValueError("no answer of ours")

    refusal = await outcome(remote(Neighbour(GOOD)).read("/q/", decode))

    references = sys.getrefcount(seen[0])

    assert type(refusal) is Unavailable
    assert references == 2, "that of the list, and the question's own"


async def test_who_is_in_a_hurry_cannot_open_the_breaker_for_the_others() -> None:
    asking = remote(Neighbour(asyncio.Event()), retry_budget=0)

    for _ in range(12):
        token = deadline.begin(0.005)
        assert type(await outcome(asking.read(*READ))) is DeadlineExceeded
        deadline.end(token)

    assert not asking.breaker.open


async def test_a_neighbour_is_told_of_two_thirds_of_the_time_that_is_left() -> None:
    neighbour = Neighbour(GOOD)
    asking = remote(neighbour)
    token = deadline.begin(60, b"9000")

    for _ in range(2):  # the second one goes out on an open connection
        await asking.read(*READ)
    deadline.end(token)

    assert all(0 < int(asked.headers["x-timeout-ms"]) <= 6000 for asked in neighbour.asked)


@pytest.mark.parametrize("writes", [False, True], ids=["read", "write"])
async def test_who_has_less_than_the_time_out_left_can_still_ask_twice(writes: bool) -> None:
    """The first process that was asked may be frozen, and the second one well."""
    neighbour = Neighbour(GOOD, asyncio.Event(), httpx2.Response(201 if writes else 200, json={"id": 1}))
    asking = remote(neighbour)
    await asking.read("/open-a-connection/", orjson.loads)
    token = deadline.begin(4.5)

    call = asking.write("POST", "/api/pessoas/", orjson.loads, {}, KEYED) if writes else asking.read(*READ)
    answer = await outcome(call)
    deadline.end(token)

    assert (answer, len(neighbour.asked)) == ({"id": 1}, 3)


async def test_nobody_is_asked_when_no_time_is_left() -> None:
    neighbour = Neighbour(GOOD)
    token = deadline.begin(-1)

    assert type(await outcome(remote(neighbour).read(*READ))) is DeadlineExceeded
    assert not neighbour.asked
    deadline.end(token)


async def test_more_calls_than_places_wait_and_more_than_the_queue_holds_are_refused() -> None:
    held = asyncio.Event()
    neighbour = Neighbour(held)
    asking = remote(neighbour, neighbour_connections=2, neighbour_queue=3, retry_budget=0)
    running = [asyncio.create_task(outcome(asking.read(f"/api/pessoas/{n}/", orjson.loads))) for n in range(6)]
    await until(lambda: any(task.done() for task in running) and len(neighbour.asked) == 2, "one is refused")

    assert (len(neighbour.asked), asking.bulkhead.waiting) == (2, 3)
    held.set()
    answers = await asyncio.gather(*running)

    assert sum(isinstance(answer, Unavailable) for answer in answers) == 1
    assert answers.count({"id": 1}) == 5
    assert (asking.bulkhead.busy, asking.bulkhead.waiting) == (0, 0)


async def test_searches_hold_half_of_the_places_and_reads_by_id_pass_them() -> None:
    held = asyncio.Event()
    asked: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        if "search" in request.url.path:
            await held.wait()
        return GOOD

    asking = remote(answer, neighbour_connections=4)
    searches = [asyncio.create_task(asking.read(f"/search/{n}/", orjson.loads, search=True)) for n in range(6)]
    await until(lambda: asking.searches.waiting == 4, "four searches wait")
    cancelled = searches.pop()
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)

    reads = await asyncio.gather(*(asking.read(f"/{n}/", orjson.loads) for n in range(8)))

    assert (reads, len([path for path in asked if "search" in path])) == ([{"id": 1}] * 8, 2)
    held.set()
    assert await asyncio.gather(*searches) == [{"id": 1}] * 5
    assert [(one.busy, one.waiting) for one in (asking.bulkhead, asking.searches)] == [(0, 0)] * 2


async def test_a_search_finds_no_place_where_reads_by_id_have_them_all() -> None:
    held = asyncio.Event()
    asking = remote(Neighbour(held), neighbour_connections=2, neighbour_queue=0, retry_budget=0)
    reads = [asyncio.create_task(asking.read(f"/{n}/", orjson.loads)) for n in range(2)]
    await until(lambda: asking.bulkhead.busy == 2, "two are under way")

    assert type(await outcome(asking.read("/search/", orjson.loads, search=True))) is Unavailable
    held.set()

    assert await asyncio.gather(*reads) == [{"id": 1}] * 2
    assert [(one.busy, one.waiting) for one in (asking.bulkhead, asking.searches)] == [(0, 0)] * 2


@pytest.mark.parametrize(("status", "code"), [(503, "BUSY"), (504, "TOO_SLOW")])
async def test_a_search_that_was_refused_says_nothing_against_the_neighbour(status: int, code: str) -> None:
    refused = httpx2.Response(status, json={"code": code, "detail": "peça menos"})
    asking = remote(Neighbour(*[refused] * 30, GOOD))

    refusals = [await outcome(asking.read(*READ)) for _ in range(30)]

    assert {type(one) for one in refusals} == {Unavailable if status == 503 else DeadlineExceeded}
    assert {(one.detail, one.service) for one in refusals} == {("peça menos", "pessoas")}
    assert await asking.read(*READ) == {"id": 1}


async def test_a_call_that_is_cancelled_while_it_waits_gives_its_place_up() -> None:
    held = asyncio.Event()
    asking = remote(Neighbour(held), neighbour_connections=1)
    first, second = (asyncio.create_task(asking.read(f"/{n}/", orjson.loads)) for n in range(2))
    await until(lambda: asking.bulkhead.waiting == 1, "one waits")

    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    held.set()
    await first

    assert (asking.bulkhead.busy, asking.bulkhead.waiting) == (0, 0)


# -- reads under way ----------------------------------------------------------------------------------------------


async def together(*calls: Any) -> list[Any]:
    return await asyncio.gather(*(outcome(call) for call in calls))


async def test_identical_reads_under_way_are_made_once() -> None:
    neighbour = Neighbour(GOOD)
    asking = remote(neighbour)

    answers = await together(*(asking.read("/q/", orjson.loads, {"ids": [1]}) for _ in range(5)))
    await asking.read("/q/", orjson.loads, {"ids": [1]})

    assert answers == [{"id": 1}] * 5
    assert len(neighbour.asked) == 2, "one for the five, one for the one that came later"


async def test_a_read_that_was_sent_a_while_ago_is_not_joined_and_later_ones_join_the_newer_one() -> None:
    held = asyncio.Event()
    neighbour = Neighbour(held, held, GOOD)
    asking = remote(neighbour, neighbour_timeout=30)
    old = asyncio.create_task(asking.read(*READ))
    await until(lambda: len(neighbour.asked) == 1, "the neighbour is asked")
    [sent] = asking.shared_reads.values()
    sent.began -= 2 * WAIT_SECONDS

    newer = [asyncio.create_task(asking.read(*READ)) for _ in range(3)]
    await until(lambda: len(neighbour.asked) == 2, "the neighbour is asked twice")
    held.set()

    assert await asyncio.gather(old, *newer) == [{"id": 1}] * 4
    assert len(neighbour.asked) == 2


async def test_reads_that_differ_are_not_shared() -> None:
    neighbour = Neighbour(GOOD)
    asking = remote(neighbour)

    await together(*(asking.read("/q/", orjson.loads, {"ids": [n]}) for n in range(3)), asking.read(*READ))

    assert len(neighbour.asked) == 4


async def test_a_failure_is_shared_too() -> None:
    neighbour = Neighbour(httpx2.Response(503, json={"code": "UNAVAILABLE"}))
    asking = remote(neighbour)

    answers = await together(*(asking.read(*READ) for _ in range(3)))

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert len(neighbour.asked) == 1


async def test_a_read_that_begins_after_a_write_sees_it() -> None:
    held = asyncio.Event()
    neighbour = Neighbour(held, GOOD)
    asking = remote(neighbour)
    before = asyncio.create_task(asking.read(*READ))
    await until(lambda: bool(neighbour.asked), "the neighbour is asked")

    await asking.write("PATCH", "/api/pessoas/1/", orjson.loads, {})
    await asking.read(*READ)

    assert [request.method for request in neighbour.asked] == ["GET", "PATCH", "GET"]
    held.set()
    await before


async def test_a_read_that_begins_while_a_write_is_under_way_joins_none_that_began_before_it() -> None:
    """The write may already be done while its answer is still on the way."""
    reading, writing = asyncio.Event(), asyncio.Event()
    neighbour = Neighbour(reading, writing, GOOD)
    asking = remote(neighbour)
    before = asyncio.create_task(asking.read(*READ))
    await until(lambda: len(neighbour.asked) == 1, "the neighbour is asked")
    write = asyncio.create_task(asking.write("PATCH", "/api/pessoas/1/", orjson.loads, {}))
    await until(lambda: len(neighbour.asked) == 2, "the neighbour is asked twice")

    await asking.read(*READ)

    assert [request.method for request in neighbour.asked] == ["GET", "PATCH", "GET"]
    reading.set()
    writing.set()
    await asyncio.gather(before, write)


async def test_whoever_shares_a_read_gets_it_though_the_first_one_goes_away() -> None:
    held = asyncio.Event()
    neighbour = Neighbour(held)
    asking = remote(neighbour)
    first = asyncio.create_task(asking.read(*READ))
    await until(lambda: bool(neighbour.asked), "the neighbour is asked")
    others = [asyncio.create_task(asking.read(*READ)) for _ in range(2)]
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    held.set()

    assert await asyncio.gather(*others) == [{"id": 1}] * 2


async def test_a_read_that_nobody_waits_for_any_more_is_given_up() -> None:
    neighbour = Neighbour(GOOD, asyncio.Event())
    asking = remote(neighbour)
    await asking.read(*READ)  # opens a connection, on which the next request can be sent at once
    readings = [asking.begin(*READ) for _ in range(2)]
    await until(lambda: len(neighbour.asked) == 2, "the neighbour is asked twice")

    readings[0].cancel()
    assert asking.bulkhead.busy == 1, "the other one still waits"
    readings[1].cancel()

    assert (asking.bulkhead.busy, asking.shared_reads) == (0, {})


async def test_a_read_that_is_repeated_can_be_given_up_too() -> None:
    neighbour = Neighbour(httpx2.ReadError, asyncio.Event())
    asking = remote(neighbour)
    reading = asking.begin(*READ)
    await until(lambda: len(neighbour.asked) == 2, "the neighbour is asked twice")

    reading.cancel()
    await until(lambda: not asking.bulkhead.busy, "none is under way")

    assert asking.shared_reads == {}


async def test_whatever_decoding_meets_reaches_all_that_wait() -> None:
    def decode(_content: bytes) -> None:
        raise LookupError("a fault of ours")

    asking = remote(Neighbour(GOOD))
    answers = await asyncio.gather(*(asking.read("/q/", decode) for _ in range(2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [LookupError] * 2
    assert (asking.bulkhead.busy, asking.shared_reads) == (0, {})


async def test_a_read_that_cannot_be_sent_leaves_nothing_behind() -> None:
    asking = Remote("pessoas", "http://127.0.0.1:9")
    asking.transport = Unsendable()
    for _ in range(2):
        with pytest.raises(ValueError, match="line break"):
            asking.begin(*READ)

    assert (asking.bulkhead.busy, asking.shared_reads) == (0, {})


class Unsendable(DefaultTransport):
    """A transport with a free connection on which requests cannot be written."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", AnswerMemory(10**9))

    def begin(self, *_: Any, **__: Any) -> Any:
        raise ValueError("a line break in a header")


async def test_a_neighbour_is_told_of_less_time_than_it_has_so_that_its_own_account_arrives() -> None:
    neighbour = Neighbour(GOOD)

    await remote(neighbour, neighbour_timeout=20).read(*READ)

    assert 0 < int(neighbour.asked[0].headers["x-timeout-ms"]) <= 19_000


async def test_who_is_in_a_hurry_reads_alone() -> None:
    neighbour = Neighbour(GOOD)
    asking = remote(neighbour)

    async def hurried() -> Any:
        deadline.begin(60, b"9000")
        return await asking.read(*READ)

    await together(asking.read(*READ), asyncio.create_task(hurried()))

    assert len(neighbour.asked) == 2
