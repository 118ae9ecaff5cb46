"""One version and one licence everywhere, and the release that `make release` prepares."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chassis.version import VERSION
from deploy import release
from deploy.local import ROOT
from deploy.topology import SERVICES
from tests.house.test_house import tracked


def said(root: Path) -> dict[str, str]:
    """Every place of `root` that says the version, with what it says."""
    found: dict[str, str] = {}
    for glob, pattern, count in release.PLACES:
        for path in root.glob(glob):
            versions = re.findall(pattern, path.read_text(), re.M)[:count]
            assert len(versions) == count, path
            found[str(path.relative_to(root))] = " ".join({*versions})
    for service in SERVICES:
        document = root / service.name / "openapi.json"
        found[str(document.relative_to(root))] = json.loads(document.read_text())["info"]["version"]
    kubernetes = root / "deploy" / "kubernetes"
    [suffix] = re.findall(r"nameSuffix: -(\S+)", (kubernetes / "base/migrations/kustomization.yaml").read_text())
    images = re.findall(r"newTag: ([\d.]+)", (kubernetes / "overlays/production/kustomization.yaml").read_text())
    found |= {"migrations": suffix.replace("-", "."), "images": " ".join({*images})}
    packages = tomllib.loads((root / "uv.lock").read_text())["package"]
    found["uv.lock"] = " ".join({one["version"] for one in packages if "virtual" in one["source"]})
    return found


def newest_section() -> str:
    sections = re.findall(r"^## \[(.*?)\]", (ROOT / release.CHANGELOG).read_text(), re.M)
    return next(name for name in sections if name != "Unreleased")


def test_every_place_that_says_the_version_says_the_same() -> None:
    assert said(ROOT) == dict.fromkeys(said(ROOT), release.current())
    assert release.current() == VERSION == newest_section()


def test_every_manifest_names_the_licence() -> None:
    manifests = [path for path in tracked() if path.name in ("pyproject.toml", "package.json")]
    licences = {
        path: json.loads(path.read_text())["license"]
        if path.suffix == ".json"
        else tomllib.loads(path.read_text())["project"]["license"]
        for path in manifests
    }

    assert licences == dict.fromkeys(manifests, "Apache-2.0")
    assert 'image.licenses="Apache-2.0"' in (ROOT / "deploy/Dockerfile").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, with this environment, in which something is unreleased."""
    for path in tracked():
        if path.exists() and path.parts[len(ROOT.parts)] not in ("tests", "bench"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    for folder in (".venv", ".uv"):
        if (ROOT / folder).exists():
            (tmp_path / folder).symlink_to(ROOT / folder)
    changelog = tmp_path / release.CHANGELOG
    text = changelog.read_text().replace(release.UNRELEASED, "")
    changelog.write_text(text.replace("\n## ", f"\n{release.UNRELEASED}\n- Bolos.\n\n## ", 1))
    return tmp_path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.release", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)


def test_a_release_is_written_everywhere_and_what_was_unreleased_is_its_notes(checkout: Path) -> None:
    done = run(checkout, "--prepare", "99.0.0")

    assert done.returncode == 0, done.stderr
    assert said(checkout) == dict.fromkeys(said(ROOT), "99.0.0")
    assert run(checkout, "--notes", "99.0.0").stdout == "- Bolos.\n"
    assert run(checkout, "--tag", "v99.0.0").returncode == 0
    again = run(checkout, "--prepare", "99.0.1")
    assert (again.returncode, "nothing to release" in again.stderr) == (1, True)


@pytest.mark.parametrize("version", ["0.9.0", VERSION, "v99.0.0", "99.0", "99.0.0-rc1", "99.00.0"])
def test_a_version_that_is_not_a_later_one_is_refused_before_anything_is_written(checkout: Path, version: str) -> None:
    before = said(checkout)

    refused = run(checkout, "--prepare", version)

    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert said(checkout) == before


def test_the_notes_of_this_version_can_be_printed() -> None:
    notes = run(ROOT, "--notes", VERSION)

    assert notes.returncode == 0, notes.stderr
    assert notes.stdout.startswith("### ")
    assert "\n## " not in notes.stdout


@pytest.mark.parametrize("arguments", [("--notes", "0.0.1"), ("--tag", "v0.0.1"), ("--tag", VERSION)])
def test_notes_that_do_not_exist_and_a_tag_that_is_not_the_versions_fail(arguments: tuple[str, str]) -> None:
    refused = run(ROOT, *arguments)

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
