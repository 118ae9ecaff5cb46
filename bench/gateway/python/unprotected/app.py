"""Our gateway, with no breaker, bulkhead or retry before its neighbours: what those cost when nothing fails."""

from fastapi import FastAPI
from typing_extensions import override  # so that a change of the client's names cannot go unnoticed

from chassis.bulkhead import Bulkhead
from chassis.remote import Remote
from chassis.settings import NeighbourSettings, read
from chassis.wire import Answer
from gateway import app as gateway_app
from gateway.settings import Settings


class Unprotected(Remote):
    def __init__(self, name: str, url: str, settings: NeighbourSettings) -> None:
        super().__init__(name, url, settings)
        self.bulkhead = Open(0, 0)

    @override
    def note(self, outcome: Answer | Exception, seconds: float) -> None:
        """No breaker is told."""

    @override
    def earn(self) -> None:
        """Nothing is spent on retries."""


class Open(Bulkhead):
    @override
    def take(self) -> bool:
        return True

    @override
    def leave(self) -> None:
        """Nobody has a place."""


def create_app() -> FastAPI:
    settings = read(Settings)
    app = gateway_app.create_app(settings)
    remotes: dict[str, Remote] = app.state.graphql.remotes
    urls = {name: getattr(settings, f"{name}_url") for name in remotes}
    remotes.update({name: Unprotected(name, url, settings) for name, url in urls.items()})
    return app
