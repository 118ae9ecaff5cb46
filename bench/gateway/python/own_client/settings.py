"""What this process reads from its environment: what our gateway does."""

from gateway.settings import Settings

__all__ = ["Settings"]
