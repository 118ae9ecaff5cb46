"""The requests to every server: the reads that the gateway makes, and one write of each kind."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from bench.load import Request

ROWS = 10_000
COLLECTION = "/api/pessoas/"
BODY = json.dumps({"nome_pessoa": "Conceição de Araújo"}).encode()


@dataclass(frozen=True)
class Workload:
    """`requests` makes the requests of one round. If there are fewer than are sent, they are repeated."""

    name: str
    requests: Callable[[int], Sequence[Request]]


def _chosen(count: int) -> list[int]:
    return random.Random(1).sample(range(1, ROWS + 1), count)  # noqa: S311  # the same ids in every run


def _listed(_: int) -> list[Request]:
    return [Request.of("GET", f"{COLLECTION}?page_size=100")]


def _bulk(_: int) -> list[Request]:
    ids = _chosen(5000)
    asked = [",".join(map(str, sorted(ids[n : n + 100]))) for n in range(0, 5000, 100)]
    return [Request.of("GET", f"{COLLECTION}?id={one}") for one in asked]


def _one(_: int) -> list[Request]:
    return [Request.of("GET", f"{COLLECTION}{id}/") for id in _chosen(500)]


def _post(_: int) -> list[Request]:
    return [Request.of("POST", COLLECTION, BODY)]


def _post_with_key(count: int) -> list[Request]:
    return [Request.of("POST", COLLECTION, BODY, f"Idempotency-Key: {uuid4()}\r\n") for _ in range(count)]


def _put(_: int) -> list[Request]:
    # So many rows that no two requests write the same row at the same time.
    return [Request.of("PUT", f"{COLLECTION}{id}/", BODY) for id in _chosen(5000)]


ALL = (
    Workload("list of 100", _listed),
    Workload("bulk read of 100 ids", _bulk),
    Workload("GET of one", _one),
    Workload("POST", _post),
    Workload("POST with an Idempotency-Key", _post_with_key),
    Workload("PUT", _put),
)


def comparable(answer: bytes) -> Any:
    """The answer without the id of the created row, which differs between the databases."""
    found = json.loads(answer)
    if not isinstance(found, dict):
        return found
    member = cast("dict[str, Any]", found)
    return {name: value for name, value in member.items() if name != "id"}
