"""The settings that this process reads from its environment: the same as our gateway."""

from gateway.settings import Settings

__all__ = ["Settings"]
