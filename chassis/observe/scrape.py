"""`/metrics`: the metrics of this process in Prometheus's text format; with several workers, those of all of them.

Workers share a port, so a scrape may reach any of them. Once a second each writes its metrics into `METRICS_DIR`, which
their parent makes. The worker that is scraped answers for all, with the label `worker`.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from math import isfinite
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from chassis.observe import metrics
from chassis.observe.meters import REGISTRY
from chassis.request.headers import combined

WRITE_SECONDS = 1.0
STALE_SECONDS = 10.0
"""An older file was left behind by a worker that was killed."""


def add_to(app: FastAPI, directory: Path | None) -> None:
    """Adds `/metrics`. `directory` is where several workers exchange their metrics."""

    async def scrape(request: Request) -> Response:
        encode, content_type = choose_encoder(combined(request.scope["headers"]).get(b"accept", b"").decode("latin-1"))
        if directory is None:
            return Response(encode(REGISTRY), media_type=None, headers={"Content-Type": content_type})
        write(directory)
        return Response(encode(Workers(directory)), headers={"Content-Type": content_type})

    app.add_route("/metrics", scrape, include_in_schema=False)


@asynccontextmanager
async def keep_measuring(directory: Path | None) -> AsyncGenerator[None]:
    """Measures the event loop and writes the metrics for as long as the process runs."""
    tasks = [asyncio.create_task(metrics.measure_lag(), name="event loop lag")]
    if directory is not None:
        tasks.append(asyncio.create_task(_keep_writing(directory), name="metrics"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if directory is not None:
            _file(directory).unlink(missing_ok=True)


async def _keep_writing(directory: Path) -> None:
    while True:
        with contextlib.suppress(OSError):  # a full disk, for example; a scrape that reaches this worker logs it
            write(directory)
        await asyncio.sleep(WRITE_SECONDS)


def write(directory: Path) -> None:
    """Writes the metrics of this worker, for the others to read."""
    families = [
        (one.name, one.documentation, one.type, [(each.name, each.labels, _json(each.value)) for each in one.samples])
        for one in REGISTRY.collect()
    ]
    unfinished = _file(directory).with_suffix(".new")
    unfinished.write_bytes(orjson.dumps(families))
    unfinished.replace(_file(directory))


def _json(value: float) -> float | str:
    """A value as JSON can hold it: it has no number for infinity and for what is no number. `float` reads both back."""
    return value if isfinite(value) else str(value)


def _file(directory: Path) -> Path:
    return directory / f"{os.getpid()}.json"


class Workers(Collector):
    """The metrics of all workers, each with its own label: sums would fall whenever a worker ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for file in sorted(self._directory.glob("*.json")):
            with contextlib.suppress(FileNotFoundError):  # a worker may end at any time
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    continue
                found: list[Any] = orjson.loads(file.read_bytes())
                for name, documentation, kind, samples in found:
                    family = families.setdefault(name, Metric(name, documentation, kind))
                    for sample, labels, value in samples:
                        family.add_sample(sample, {"worker": file.stem, **labels}, float(value))
        return families.values()
