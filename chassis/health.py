"""Liveness says that the process runs; readiness that what it owns can serve. Neighbours are nobody's readiness."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI

Check = Callable[[], Awaitable[None]]
"""Raises Unavailable, with the reason, when the process cannot serve."""


def add_to(app: FastAPI, *checks: Check) -> None:
    """`/health/live` and `/health/ready`."""

    async def live() -> dict[str, str]:
        return {"status": "live"}

    async def ready() -> dict[str, str]:
        for check in checks:
            await check()
        return {"status": "ready"}

    app.add_api_route("/health/live", live, include_in_schema=False)
    app.add_api_route("/health/ready", ready, include_in_schema=False)
