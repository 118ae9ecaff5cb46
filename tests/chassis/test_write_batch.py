"""Writes at the end of a turn of the event loop: all together, once, in order, and none to a connection that has closed
since."""

import asyncio
from typing import cast

import pytest

from chassis import write_batch


class Sink:
    """A transport that records what is written to it."""

    def __init__(self, said: list[bytes], closing: bool = False) -> None:
        self._said, self._closing = said, closing

    def write(self, data: bytes) -> None:
        self._said.append(data)

    def is_closing(self) -> bool:
        return self._closing


def sink(said: list[bytes], *, closing: bool = False) -> asyncio.Transport:
    return cast("asyncio.Transport", Sink(said, closing))


async def test_writes_of_one_turn_leave_together_in_their_order() -> None:
    said: list[bytes] = []
    one, other = sink(said), sink(said)

    write_batch.write(one, b"a")
    write_batch.write(other, b"b")
    write_batch.write(one, b"c")
    assert not said
    await asyncio.sleep(0)

    assert said == [b"a", b"b", b"c"]


async def test_what_closed_in_the_meantime_is_not_written_to() -> None:
    said: list[bytes] = []

    write_batch.write(sink(said, closing=True), b"a")
    write_batch.write(sink(said), b"b")
    write_batch.flush()

    assert said == [b"b"]


async def test_a_callback_is_called_once_a_turn() -> None:
    called: list[int] = []

    def callback() -> None:
        called.append(1)

    for _ in range(2):
        write_batch.at_end(callback)
        write_batch.at_end(callback)
        await asyncio.sleep(0)

    assert len(called) == 2


async def test_a_callback_that_fails_takes_nothing_from_the_others() -> None:
    called: list[int] = []
    said: list[bytes] = []

    write_batch.at_end(lambda: called.append(1 // 0))
    write_batch.at_end(lambda: called.append(1))
    write_batch.write(sink(said), b"a")
    await asyncio.sleep(0)

    assert (called, said) == ([1], [b"a"])


@pytest.mark.parametrize("_again", range(2))
def test_a_loop_that_ends_before_its_turn_does_takes_nothing_from_the_next(_again: int) -> None:
    said: list[bytes] = []

    async def write(data: bytes) -> None:
        write_batch.write(sink(said), data)

    asyncio.run(write(b"first"))
    asyncio.run(write(b"second"))
    asyncio.run(asyncio.sleep(0))
    write_batch.flush()

    assert said == [b"first", b"second"]
