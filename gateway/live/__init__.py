"""Live queries: subscriptions, whose events are executed once for all who ask the same."""
