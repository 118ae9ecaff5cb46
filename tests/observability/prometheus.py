"""A real Prometheus with the project's configuration, which finds the processes of `tests.edge.stage`."""

from __future__ import annotations

import contextlib
import math
import re
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import httpx2
import yaml

from deploy.local import ROOT
from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.edge.stage import Edge
from tests.listener import Listener

FOLDER = ROOT / "deploy" / "observability"
SECONDS = 2
"""How often it scrapes and computes its rules, instead of 15 s and 30 s."""
FOR_SECONDS = 4
"""For how long an alert's condition must hold, instead of minutes."""


class Prometheus:
    """The running server's HTTP interface."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(base_url=url, timeout=WAIT_SECONDS)

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def numbers(self, query: str) -> list[float]:
        """The values of the query's series that are numbers."""
        answer = self._client.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
        found = cast("list[dict[str, Any]]", answer.json()["data"]["result"])
        values = [float(one["value"][1]) for one in found]
        return [value for value in values if math.isfinite(value)]

    def alerts(self) -> set[tuple[str, str]]:
        """The names of the alerts that fire, each with the `service` or else the `job` that it is about."""
        found = self._client.get("/api/v1/alerts").json()["data"]["alerts"]
        return {
            (one["labels"]["alertname"], one["labels"].get("service") or one["labels"].get("job", ""))
            for one in found
            if one["state"] == "firing"
        }


@contextlib.contextmanager
def scraping(edge: Edge, folder: Path) -> Generator[Prometheus]:
    """Prometheus, which scrapes all processes of the edge's system and the edge."""
    config = cast("dict[str, Any]", yaml.safe_load((FOLDER / "prometheus.yaml").read_text()))
    config["global"] |= dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), f"{SECONDS}s")
    targets = {name: [f"{one.address}:{one.port}" for one in replicas] for name, replicas in edge.replicas.items()} | {
        "edge": [urlparse(edge.metrics_url).netloc]
    }
    config["scrape_configs"] = [
        {"job_name": one["job_name"], "static_configs": [{"targets": targets[one["job_name"]]}]}
        for one in config["scrape_configs"]
        if one["job_name"] in targets
    ]
    rules = (FOLDER / "rules.yaml").read_text()
    rules = re.sub(r"interval: 30s", f"interval: {SECONDS}s", re.sub(r"for: \d+m", f"for: {FOR_SECONDS}s", rules))
    (folder / "rules.yaml").write_text(rules)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_ports()
    command = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    process = subprocess.Popen(
        [*command, f"--web.listen-address={HOST}:{port}", "--log.level=warn"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    said = Listener(process.stdout).said
    try:
        running = Prometheus(f"http://{HOST}:{port}")
        eventually(running.is_ready, lambda: "Prometheus is ready:\n" + "\n".join(said))
        yield running
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
