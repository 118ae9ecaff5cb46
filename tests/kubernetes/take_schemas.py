"""Takes the schemas of custom resources out of their projects' definitions:
`python -m tests.kubernetes.take_schemas cnpg-1.30.0.yaml …` writes one file in `crds/` for each kind in KINDS.

The API server judges a resource by the same schema. Descriptions are left out, and an object has no members but those
that are named, as with `kubectl --validate=strict`. The rules in CEL (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml

FOLDER = Path(__file__).parent / "crds"
KINDS = {
    *("Cluster", "Pooler", "ScheduledBackup", "ObjectStore"),  # CloudNativePG 1.30.0, its Barman plugin 0.14.0
    *("Gateway", "HTTPRoute"),  # Gateway API 1.6.1, standard channel
    *("PodMonitor", "PrometheusRule"),  # Prometheus operator 0.93.0
}


def file_of(api_version: str, kind: str) -> Path:
    """Where the schema of a kind is: `postgresql.cnpg.io-v1-Cluster.json`."""
    return FOLDER / f"{api_version.replace('/', '-')}-{kind}.json"


def strict(schema: Any) -> Any:
    """The schema as JSON Schema has it, without descriptions, in which an object has no members but the named ones."""
    if isinstance(schema, list):
        return [strict(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, Any]", schema).items()
    found = {name: strict(one) for name, one in members if not (name == "description" and isinstance(one, str))}
    if found.pop("nullable", False) and "type" in found:
        found["type"] = [found["type"], "null"]
    if found.pop("x-kubernetes-int-or-string", False):
        found["type"] = ["integer", "string"]
    open_ended = found.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in found
    if isinstance(found.get("properties"), dict) and "type" in found and not open_ended:
        found["additionalProperties"] = False
    return found


def loose(schema: Any) -> Any:
    """What `strict` was given, but for the descriptions: the API server drops or refuses unknown members by itself."""
    if isinstance(schema, list):
        return [loose(one) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    found = {name: loose(one) for name, one in cast("dict[str, Any]", schema).items()}
    if found.get("additionalProperties") is False:
        del found["additionalProperties"]
    if found.get("type") == ["integer", "string"]:
        del found["type"]
        found["x-kubernetes-int-or-string"] = True
    elif isinstance(found.get("type"), list):
        found |= {"type": found["type"][0], "nullable": True}
    return found


def definitions() -> Iterator[dict[str, Any]]:
    """The definitions that the API server needs to know the kinds in `crds/`."""
    for path in sorted(FOLDER.iterdir()):
        group, version, kind = path.stem.rsplit("-", 2)
        names = {"kind": kind, "singular": kind.lower(), "plural": f"{kind.lower()}s"}
        served: dict[str, Any] = {"name": version, "served": True, "storage": True, "subresources": {"status": {}}}
        approved = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/891"}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            # Groups below k8s.io must say where they were approved.
            "metadata": {
                "name": f"{names['plural']}.{group}",
                "annotations": approved if group.endswith(".k8s.io") else {},
            },
            "spec": {
                "group": group,
                "names": names,
                "scope": "Namespaced",
                "versions": [served | {"schema": {"openAPIV3Schema": loose(json.loads(path.read_text()))}}],
            },
        }


def main() -> None:
    for file in sys.argv[1:]:
        for document in yaml.safe_load_all(Path(file).read_text()):
            if not document or document["kind"] != "CustomResourceDefinition":
                continue
            group, kind = document["spec"]["group"], document["spec"]["names"]["kind"]
            for version in document["spec"]["versions"]:
                if kind in KINDS and version["storage"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {"type": "object"}
                    path = file_of(f"{group}/{version['name']}", kind)
                    path.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
