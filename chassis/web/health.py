"""Liveness says that the process runs. Readiness says that its own resources work; neighbours are not part of it."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI

from chassis.errors import Unavailable

log = logging.getLogger("health")
Check = Callable[[], Awaitable[None]]
"""Raises Unavailable, with the reason, when the process cannot serve."""


class Readiness:
    """Answers readiness probes. It logs one line each time that the answer changes, however often it is asked."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._reason = ""

    async def check(self) -> None:
        """Raises Unavailable."""
        try:
            for check in self._checks:
                await check()
        except Unavailable as refusal:
            reason = refusal.detail if refusal.__cause__ is None else f"{refusal.detail}: {refusal.__cause__}"
            if reason != self._reason:
                log.warning("not ready", extra={"reason": " ".join(reason.split())})
            self._reason = reason
            raise
        if self._reason:
            log.info("ready again")
        self._reason = ""


def add_to(app: FastAPI, *checks: Check) -> None:
    """`/health/live` and `/health/ready`."""
    readiness = Readiness(checks)

    async def live() -> dict[str, str]:
        return {"status": "live"}

    async def ready() -> dict[str, str]:
        await readiness.check()
        return {"status": "ready"}

    for path, endpoint in (("/health/live", live), ("/health/ready", ready)):
        app.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
