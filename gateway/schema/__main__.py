"""Prints the schema in SDL: `python -m gateway.schema`."""

from gateway.schema import build

print(build().as_str())  # noqa: T201
