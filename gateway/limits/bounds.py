"""Compares counts with the limits, and refuses a request that asks for too much."""

from gateway.errors import LimitExceededError
from gateway.settings import Limits


def refuse_over(limits: Limits, **asked: int) -> None:
    """Raises LimitExceededError for the first count that exceeds the limit of the same name."""
    for limit, count in asked.items():
        allowed: int = getattr(limits, limit)
        if count > allowed:
            raise LimitExceededError(limit, count, allowed)
