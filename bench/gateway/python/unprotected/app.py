"""Our gateway, with no breaker, bulkhead, retry or clock before its neighbours: what those cost when nothing fails."""

from fastapi import FastAPI
from typing_extensions import override  # so that a change of the client's names cannot go unnoticed

from chassis import identity, trace
from chassis.remote import Remote
from chassis.settings import read
from chassis.wire import Answer
from gateway import app as gateway_app
from gateway.app import GatewaySettings

FOR_EVER = 3600.0


class Unprotected(Remote):
    @override
    async def _called(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str], repeatable: bool
    ) -> Answer:
        headers = {**trace.outgoing(), **identity.outgoing(), **headers}
        return await self._wire.send(method, path, headers, content, seconds=FOR_EVER, repeatable=repeatable)


def create_app() -> FastAPI:
    settings = read(GatewaySettings)
    app = gateway_app.create_app(settings)
    remotes: dict[str, Remote] = app.state.remotes
    urls = {name: getattr(settings, f"{name}_url") for name in remotes}
    remotes.update({name: Unprotected(name, url, settings) for name, url in urls.items()})
    return app
