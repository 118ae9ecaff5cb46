"""What the models of custom resources find wrong. They are packages of npm, made from the Go types of the projects.

A model has two halves, and both are needed. TypeScript compares a resource with the types, which know each member and
no other; `validate()` knows patterns and ranges too. Neither knows the rules in CEL.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.clients.node import install, run

HERE = Path(__file__).parent
PACKAGES = {
    "postgresql.cnpg.io": "@kubernetes-models/cloudnative-pg",
    "gateway.networking.k8s.io": "@kubernetes-models/gateway-api",
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
}
BACKUPS = "barmancloud.cnpg.io"
"""The group that has no package; `object-store.ts` says what it is judged by."""


def group_of(resource: dict[str, Any]) -> str:
    return resource["apiVersion"].partition("/")[0]


def is_custom(resource: dict[str, Any]) -> bool:
    """Whether there is a model of the resource's group."""
    return group_of(resource) in {*PACKAGES, BACKUPS}


def faults(resources: Sequence[dict[str, Any]]) -> list[list[str]]:
    """What the models find wrong in each of the resources."""
    install(HERE)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "node_modules").symlink_to(HERE / "node_modules")
        for file in ("package.json", "tsconfig.json", "validate.js", "object-store.ts"):
            shutil.copy(HERE / file, folder)
        files = [f"{place}.ts" for place, _ in enumerate(resources)]
        for file, resource in zip(files, resources, strict=True):
            (folder / file).write_text(program(resource))
        types = run(folder, "tsc", "--pretty", "false")
        values = run(folder, "node", "validate.js", *files)
    assert (types.stderr, values.returncode) == ("", 0), types.stderr + values.stderr
    found: dict[str, list[str]] = {file: [] for file in files}
    for line in (types.stdout + values.stdout).splitlines():
        if not line.startswith(" "):  # else it goes on with the line before
            told = re.fullmatch(r"(\d+\.ts)(?:\(.*?\))?: (.*)", line)
            assert told, line
            found[told[1]].append(told[2])
    return list(found.values())


def program(resource: dict[str, Any]) -> str:
    """A program that compiles if the resource has the type of its kind; its `model` judges the values."""
    group, kind = group_of(resource), resource["kind"]
    file = "./object-store.ts" if group == BACKUPS else f"{PACKAGES[group]}/{resource['apiVersion']}/{kind}"
    return "\n".join(
        (
            f'import {{ {kind}, type I{kind} }} from "{file}";',
            f"const resource: I{kind} = {json.dumps(resource)};",
            f"export const model = new {kind}(resource);",
        )
    )
