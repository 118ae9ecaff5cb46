"""Refuses a request that asks for more than a limit allows."""

from gateway.errors import LimitExceededError
from gateway.settings import Limits


def refuse_over(limits: Limits, **asked: int) -> None:
    """Raises LimitExceededError for the first of the counts that is over the limit of its name."""
    for limit, count in asked.items():
        allowed: int = getattr(limits, limit)
        if count > allowed:
            raise LimitExceededError(limit, count, allowed)
