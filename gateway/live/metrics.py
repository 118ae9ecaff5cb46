"""The metrics of live queries."""

from chassis.observe.meters import Counter, Gauge

SUBSCRIPTIONS = Gauge("graphql_subscriptions", "Open subscriptions.").labels()
GROUPS = Gauge("graphql_subscription_groups", "Groups of subscriptions that get the same events.").labels()
EVENTS = Counter("graphql_subscription_events_total", "Events that were executed, once for a group.").labels()
MESSAGES = Counter("graphql_subscription_messages_total", "Events that were handed to a client's connection.").labels()
ENDED = Counter("graphql_subscriptions_ended_total", "Subscriptions that we have ended, by the code.", ("code",))
