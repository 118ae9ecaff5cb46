"""Our gateway, with no breaker, bulkhead or retry before its neighbours: what those cost when nothing fails."""

from fastapi import FastAPI
from typing_extensions import override  # so that a change of the client's names cannot go unnoticed

from chassis.bulkhead import Bulkhead
from chassis.neighbours.remote import Remote
from chassis.settings import NeighbourSettings, read
from gateway import app as gateway_app
from gateway.settings import Settings


class Unprotected(Remote):
    def __init__(self, name: str, url: str, settings: NeighbourSettings) -> None:
        super().__init__(name, url, settings)
        self.bulkhead = self.searches = Open(0, 0)

    @override
    def refill_retry_budget(self) -> None:
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
    bare = settings.model_copy(update={"breaker_share": 0.0})  # a breaker that never opens counts nothing
    urls = {name: getattr(settings, f"{name}_url") for name in remotes}
    remotes.update({name: Unprotected(name, url, bare) for name, url in urls.items()})
    return app
