"""Our gateway without breaker, bulkhead and retries, to measure what these cost when nothing fails."""

from fastapi import FastAPI
from typing_extensions import override  # so that a change of the client's names cannot go unnoticed

from chassis.bulkhead import Bulkhead
from chassis.neighbours.remote import Remote
from chassis.settings import NeighbourSettings, read
from gateway import app as gateway_app
from gateway.settings import Settings


class UnprotectedRemote(Remote):
    def __init__(self, name: str, url: str, settings: NeighbourSettings) -> None:
        super().__init__(name, url, settings)
        self.bulkhead = self.searches = UnboundedBulkhead(0, 0)

    @override
    def refill_retry_budget(self) -> None:
        """Does nothing, since there are no retries."""


class UnboundedBulkhead(Bulkhead):
    @override
    def take(self) -> bool:
        return True

    @override
    def leave(self) -> None:
        """Does nothing, since calls take no places."""


def create_app() -> FastAPI:
    settings = read(Settings)
    app = gateway_app.create_app(settings)
    remotes: dict[str, Remote] = app.state.graphql.operations.remotes
    bare = settings.model_copy(update={"breaker_share": 0.0})  # a breaker that never opens counts nothing
    urls = {name: getattr(settings, f"{name}_url") for name in remotes}
    remotes.update({name: UnprotectedRemote(name, url, bare) for name, url in urls.items()})
    return app
