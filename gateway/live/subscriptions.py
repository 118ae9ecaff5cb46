"""All subscriptions of this process: who may open one, and which group it belongs to."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import GraphQLError, OperationDefinitionNode, located_error

from chassis.errors import Busy, Invalid, Refusal, Unavailable, over_limit
from chassis.neighbours.follower import FeedPosition, Follower
from chassis.neighbours.remote import Remote
from chassis.request import deadline
from chassis.request.caller import ANYBODY
from chassis.request.context import current
from gateway.execution.documents import CompiledOperation, Document
from gateway.execution.operation import Executor
from gateway.live import metrics
from gateway.live.events import EventPlan
from gateway.live.feeds import ServiceFeed
from gateway.live.streams import SubscriptionGroup
from gateway.live.subscription import OpenSubscription, Sink
from gateway.live.work import Work
from gateway.metrics import record_deprecated, record_operation
from gateway.positions import read_position
from gateway.requests import Account, RequestError
from gateway.settings import Settings

DRAIN_SECONDS = 5.0
"""Over how long the subscriptions end when the process drains, so that not all clients come back at once."""
DRAIN_STEPS = 50


class Subscriptions:
    """Opens subscriptions, and ends them all when the process drains."""

    def __init__(
        self, executor: Executor, remotes: Mapping[str, Remote], followers: Mapping[str, Follower], settings: Settings
    ) -> None:
        self._executor, self._remotes, self._filter_max_ids = executor, remotes, settings.filter_max_ids
        self._most, self._most_of_one = settings.max_subscriptions, settings.max_subscriptions_of_one
        self._feeds = {name: ServiceFeed(follower) for name, follower in followers.items()}
        self._work = Work(settings.operation_timeout)
        self._groups: dict[tuple[Any, ...], SubscriptionGroup] = {}
        self._by_caller = Counter[str]()
        self.open_count = 0
        self.draining = False

    async def open(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        sink: Sink,
        *,
        account: Account,
        last_event_id: str | None = None,
        client: str = "",
    ) -> OpenSubscription:
        """Opens a subscription for the current request's caller. `client` is what the client program calls itself.

        It goes on after `last_event_id` if that is given, else after its argument `apos`, else from now on. The sink
        gets nothing before this returns. Raises RequestError or Refusal.
        """
        began = time.perf_counter()
        subscription = OpenSubscription(sink, current().caller, account, self._forget)
        self._count(subscription)
        try:
            compiled, cost = await self._open(subscription, document, operation, variables or {}, last_event_id)
        except BaseException:
            if subscription.stream:
                subscription.close()
            else:
                self._forget(subscription)
            raise
        subscription.end_with_token()
        record_operation(operation, began, cost, None, ())
        if compiled.deprecated:
            record_deprecated(compiled.deprecated, client)
        return subscription

    async def _open(
        self,
        subscription: OpenSubscription,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any],
        last_event_id: str | None,
    ) -> tuple[CompiledOperation, int]:
        """Adds the subscription to its group, or to a replay. Returns the compiled operation, and what it costs."""
        account, caller = subscription.account, subscription.caller
        accepted = self._executor.accepted(document, operation, variables, account.limited)
        if isinstance(accepted, list):
            raise RequestError(accepted)
        compiled, values, cost = accepted
        response_key, root = compiled.plan.changes
        declared, service = root.declared, root.declared.resource.service
        caller.require(f"{service}:read")
        try:
            arguments = root.read_arguments(values)
            id = declared.parse_id(arguments["id"]) if "id" in arguments else None
            position = _position(service, last_event_id, arguments.get("apos"))
            plan = EventPlan(
                compiled.plan, values, id, arguments.get("filter"), cost, self._remotes, self._filter_max_ids
            )
            await account.charge(max(1, cost))
            await plan.check_filter()
        except (GraphQLError, Invalid) as failure:
            raise RequestError([located_error(failure, root.nodes, [response_key])]) from None
        feed = self._feeds[service]
        known = await feed.ready()
        if position and (position.epoch != known.epoch or position.seq > feed.seq):
            # Another epoch, no position at all, or other processes have heard of more. The service knows.
            await feed.after(position)
        # A group ends when nobody is in it. So nothing is awaited until the subscription is.
        if self.draining or feed.position is None or (position and position.epoch != feed.position.epoch):
            raise _draining() if self.draining else Unavailable(f"{service} acaba de recomeçar; tente de novo")
        epoch = feed.position.epoch
        key = (
            *(document.text, operation.name and operation.name.value, epoch),
            _shared_values(operation, variables, root.position_variable),
            None if caller is ANYBODY else caller.scopes,
            caller.subject if compiled.plan.calls_resolvers else None,  # a resolver may look at the caller
        )
        group = self._groups.get(key)
        if group is None:
            group = SubscriptionGroup(feed, epoch, plan, self._work, lambda group: self._release(key, group))
            self._groups[key] = group
            feed.add(group)
            metrics.GROUPS.value += 1
        subscription.position = position.seq if position else feed.seq
        if subscription.position >= group.joinable:
            group.add(subscription)
            return compiled, cost
        replay = group.opening_replay(subscription.position)
        replay.add(subscription)
        await deadline.wait_for(replay.opened.wait())
        if replay.refusal:
            raise replay.refusal
        return compiled, cost

    def drain(self) -> None:
        """Ends all subscriptions within a few seconds, and opens no more."""
        self.draining = True
        members = [*self._members()]
        loop, each = asyncio.get_running_loop(), len(members) // DRAIN_STEPS + 1
        for step in range(0, len(members), each):
            loop.call_later(DRAIN_SECONDS * step / len(members), _end, members[step : step + each])

    async def close(self) -> None:
        """Ends all subscriptions at once, at the end of the process."""
        self.draining = True
        _end([*self._members()])
        await self._work.close()
        for feed in self._feeds.values():
            feed.close()

    def _members(self) -> Iterator[OpenSubscription]:
        for group in [*self._groups.values()]:
            for replay in [*group.replays]:
                if not replay.opened.is_set():
                    replay.end(_draining())
                yield from replay.members
            yield from group.members

    def _release(self, key: tuple[Any, ...], group: SubscriptionGroup) -> None:
        if self._groups.get(key) is group:
            del self._groups[key]
            group.feed.remove(group)
            metrics.GROUPS.value -= 1

    def _count(self, subscription: OpenSubscription) -> None:
        """Raises the refusal if there are too many subscriptions already."""
        if self.draining:
            raise _draining()
        if self._by_caller[subscription.who] >= self._most_of_one:
            raise over_limit("subscription", f"há {self._most_of_one} assinaturas abertas, que é o máximo de cada um")
        if self.open_count >= self._most:
            raise Busy("há assinaturas demais neste momento; tente de novo em instantes")
        self.open_count += 1
        self._by_caller[subscription.who] += 1
        metrics.SUBSCRIPTIONS.value += 1

    def _forget(self, subscription: OpenSubscription) -> None:
        metrics.SUBSCRIPTIONS.value -= 1
        self.open_count -= 1
        self._by_caller[subscription.who] -= 1
        if not self._by_caller[subscription.who]:
            del self._by_caller[subscription.who]


def _draining() -> Refusal:
    return Unavailable("este processo termina; assine de novo, com o cursor", retry_after=1)


def _end(members: list[OpenSubscription]) -> None:
    for member in members:
        member.end(_draining())


def _position(service: str, last_event_id: str | None, after: str | None) -> FeedPosition | None:
    """The position to go on from. What the client has seen counts more than where it once began."""
    if last_event_id:
        return read_position(last_event_id, service, "Last-Event-ID")
    return None if after is None else read_position(after, service, "apos")


def _shared_values(operation: OperationDefinitionNode, variables: Mapping[str, Any], position: str | None) -> str:
    """The values of the variables that events depend on."""
    names = [one.variable.name.value for one in operation.variable_definitions or ()]
    return json.dumps(
        {name: variables[name] for name in names if name in variables and name != position}, sort_keys=True
    )
