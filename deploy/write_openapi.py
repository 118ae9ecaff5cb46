"""Each service's OpenAPI document, made of its code: `python -m deploy.write_openapi` writes all of them anew."""

from __future__ import annotations

import json
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chassis.serve import application
from chassis.web.versions import is_short
from deploy import topology

ROOT = Path(__file__).resolve().parent.parent


def path(service: str) -> Path:
    """The file of `service`'s document."""
    return ROOT / service / "openapi.json"


def generated(service: str) -> dict[str, Any]:
    """The document that today's code gives. Nothing is connected, so any address will do."""
    asked = {topology.url_variable(one.name): "http://localhost" for one in topology.PROCESSES}
    before = dict(os.environ)
    os.environ |= {"DATABASE_URL": "postgresql://localhost/none", "LOG_LEVEL": "ERROR"} | asked
    try:
        document: dict[str, Any] = pkgutil.resolve_name(application(service))().openapi()
    finally:  # programs that this process starts later must not get these variables
        os.environ.clear()
        os.environ.update(before)
    return document


def collections(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The path of each collection, with the noun of its rows as its types have it: `/api/pessoas/` and `Pessoa`."""
    for path, operations in document["paths"].items():
        action = operations.get("get", {}).get("operationId", "")
        if action.startswith("page") and is_short(path):
            yield path, action.removeprefix("page")


def collection_names(service: str) -> list[str]:
    """What the paths of that service's collections end with: `pessoas`."""
    return [path.split("/")[2] for path, _ in collections(generated(service))]


def text(document: dict[str, Any]) -> str:
    """The document as it is written to its file: a change of one thing changes one line."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for service in topology.SERVICES:
        path(service.name).write_text(text(generated(service.name)), encoding="utf-8")


if __name__ == "__main__":
    main()
