"""The software bills of materials: valid CycloneDX, with every package that an image holds."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from chassis.version import VERSION
from deploy import sbom
from deploy.local import ROOT
from deploy.topology import PROCESSES

each_process = pytest.mark.parametrize("process", [process.name for process in PROCESSES])


@cache
def bill(process: str) -> dict[str, Any]:
    return sbom.bill(process)


def versions(process: str, kind: str) -> set[tuple[str, str]]:
    """The names and versions of one kind of package in a bill."""
    components = bill(process)["components"]
    return {(one["name"], one["version"]) for one in components if one.get("purl", "").startswith(f"pkg:{kind}/")}


@each_process
def test_a_bill_is_valid_and_names_the_image_with_its_version_and_licence(process: str) -> None:
    image = bill(process)["metadata"]["component"]

    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(bill(process))) is None
    assert (image["type"], image["name"], image["version"]) == ("application", f"solicita-{process}", VERSION)
    assert image["licenses"] == [{"license": {"id": "Apache-2.0"}}]


@each_process
def test_a_bill_has_the_python_packages_that_the_image_installs_and_no_others(process: str) -> None:
    installed = ["export", "--frozen", "--no-default-groups", "--no-hashes", "--no-header", "--no-annotate"]
    command = [sys.executable, "deploy/bootstrap.py", "--uv", *installed, *sbom.packages(process)]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names = [line.partition(" ;")[0].partition("==") for line in lines if "==" in line.partition(" ;")[0]]

    assert {(name.partition("[")[0], version.strip()) for name, _, version in names} == versions(process, "pypi")


def test_only_the_image_with_a_page_has_npm_packages_and_all_of_its_page() -> None:
    page = json.loads((ROOT / "gateway/playground/package.json").read_text())

    assert [process.name for process in PROCESSES if versions(process.name, "npm")] == ["gateway"]
    found = dict(versions("gateway", "npm"))
    assert page["dependencies"].items() <= found.items()
    assert "vite" not in found, "it builds the page and is not in it"


@each_process
def test_every_reference_in_a_bill_is_to_something_in_it(process: str) -> None:
    document = bill(process)
    there = [document["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in document["components"])]
    depended = {ref for one in document["dependencies"] for ref in (one["ref"], *one.get("dependsOn", ()))}

    assert len(there) == len(set(there))
    assert depended <= set(there)


@each_process
def test_a_bill_knows_the_licence_of_most_packages(process: str) -> None:
    components = bill(process)["components"]
    without = [one["name"] for one in components if not one.get("licenses")]

    assert len(without) < len(components) / 10, without
