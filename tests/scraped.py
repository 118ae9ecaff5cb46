"""Reads `/metrics` as Prometheus does."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


@dataclass
class Scrape:
    """All samples of one answer."""

    samples: list[Sample]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that have these labels; 0 without any."""
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())

    def label(self, name: str, label: str) -> set[str]:
        """All values that a label has in the series of this name."""
        return {one.labels[label] for one in self.samples if one.name == name and label in one.labels}


def parsed(answer: httpx2.Response) -> Scrape:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return Scrape([sample for family in families for sample in family.samples])


async def scrape(client: httpx2.AsyncClient) -> Scrape:
    return parsed(await client.get("/metrics"))
