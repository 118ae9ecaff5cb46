"""Signals to processes that asyncio waits for."""

from __future__ import annotations

import asyncio
import signal
import time

from chassis.process.children import send_signal


async def test_a_signal_to_a_process_that_is_ending_leaves_its_exit_code_as_it_is() -> None:
    """Each of these processes gets signals without a pause while it ends, and asyncio learns of it only afterwards."""
    for _ in range(20):
        child = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
        until_when = time.monotonic() + 0.05
        while time.monotonic() < until_when:
            send_signal(child, signal.SIGCONT)
        assert await child.wait() == 7


async def test_a_signal_reaches_a_process_and_one_that_has_ended_needs_none() -> None:
    child = await asyncio.create_subprocess_exec("sleep", "60")

    send_signal(child, signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    send_signal(child, signal.SIGKILL)
