"""Writes a software bill of materials for each image into `sbom/`, in CycloneDX 1.5: `python -m deploy.sbom`
(`make sbom`).

uv lists the Python packages that its lock names for the image, and npm those of which the image's pages are built. What
is added here is what neither knows: the image itself, and the licences of the Python packages. The image's operating
system is not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from deploy.bootstrap import BIN
from deploy.release import ROOT, current
from deploy.topology import PROCESSES

Document = dict[str, Any]
LICENCE = [{"license": {"id": "Apache-2.0"}}]
FROM_UV = ("export", "--frozen", "--no-default-groups", "--format=cyclonedx1.5", "--preview-features=sbom-export")


def packages(process: str) -> tuple[str, ...]:
    """How uv is asked for the packages of an image, as deploy/Dockerfile asks it."""
    return (
        ("--package", process)
        if (ROOT / process / "pyproject.toml").exists()
        else ("--package", "chassis", "--extra", "db")
    )


def bill(process: str) -> Document:
    """The document of the image of `process`."""
    document = _printed(sys.executable, "deploy/bootstrap.py", "--uv", *FROM_UV, *packages(process))
    for component in document["components"]:
        component |= _licences(component)
    image: Document = document["metadata"]["component"]
    image |= {"type": "application", "name": f"solicita-{process}", "version": current(), "licenses": LICENCE}
    if (ROOT / process / "playground").is_dir():
        _add_page(document, ROOT / process / "playground")
    return document


TOOL = {"name": "cdx:npm:package:development", "value": "true"}
"""How npm marks a package that is only needed by developers."""


def _add_page(document: Document, folder: Path) -> None:
    """Adds the npm packages of which the pages in `folder` are made, without the tools that build them.

    npm itself would omit the tools with `--omit=dev`, but leaves out with them what both the tools and the pages use.
    """
    page = _printed(BIN / "npm", "sbom", "--sbom-format=cyclonedx", "--package-lock-only", folder=folder)
    if page["specVersion"] != document["specVersion"]:
        raise SystemExit(f"sbom: npm writes CycloneDX {page['specVersion']}, and uv {document['specVersion']}")
    top: Document = page["metadata"]["component"]
    shipped = [top, *(one for one in page["components"] if TOOL not in one.get("properties", []))]
    document["components"] += shipped
    names = {one["bom-ref"] for one in shipped}
    for one in page["dependencies"]:
        if one["ref"] in names:
            document["dependencies"].append({**one, "dependsOn": [name for name in one["dependsOn"] if name in names]})
    document["metadata"]["tools"] += page["metadata"]["tools"]
    image = document["metadata"]["component"]["bom-ref"]
    [depends] = [one for one in document["dependencies"] if one["ref"] == image]
    depends["dependsOn"].append(top["bom-ref"])


def _licences(component: Document) -> Document:
    """The licence of a Python package as the package itself names it; nothing if another version is installed here."""
    if "purl" not in component:
        return {"licenses": LICENCE}  # it is a folder of this repository
    try:
        said = metadata(component["name"]).json
    except PackageNotFoundError:
        return {}
    if said["version"] != component["version"]:
        return {}
    if expression := said.get("license_expression"):
        return {"licenses": [{"expression": expression}]}
    name = str(said.get("license", "")).partition("\n")[0]  # older packages have a name here, or the whole text
    return {"licenses": [{"license": {"name": name}}]} if name else {}


def _printed(*command: str | Path, folder: Path = ROOT) -> Document:
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return json.loads(result.stdout)


def main() -> None:
    directory = ROOT / "sbom"
    directory.mkdir(exist_ok=True)
    for process in PROCESSES:
        path = directory / f"solicita-{process.name}.cdx.json"
        document = bill(process.name)
        path.write_text(json.dumps(document, indent=2) + "\n")
        print(f"{path.relative_to(ROOT)}: {len(document['components'])} components")


if __name__ == "__main__":
    main()
