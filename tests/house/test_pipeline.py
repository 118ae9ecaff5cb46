"""The workflows in .github agree with what they run: Pythons, `make` targets, build arguments and images."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def jobs(workflow: str) -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text())["jobs"]


def steps(workflow: str) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job["steps"]]


def test_every_python_from_the_oldest_to_that_of_the_images_is_tested() -> None:
    [oldest] = re.findall(r'^requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    [newest] = re.findall(r"^FROM python:3\.(\d+)", DOCKERFILE, re.M)

    tested = jobs("ci")["tests"]["strategy"]["matrix"]["python"]

    assert tested == [f"3.{minor}" for minor in range(int(oldest), int(newest) + 1)]


def test_changes_and_releases_are_tested_by_the_same_script() -> None:
    assert all(".ci/run" in [step.get("run") for step in steps(workflow)] for workflow in ("ci", "release"))


def test_every_night_runs_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))

    assert set(jobs("nightly")["campaign"]["strategy"]["matrix"]["target"]) <= targets


def test_an_image_is_told_every_argument_of_its_recipe() -> None:
    [build] = [step["with"] for step in steps("release") if "build-push-action" in step.get("uses", "")]
    told = {line.partition("=")[0] for line in build["build-args"].splitlines()}

    assert told == set(re.findall(r"^ARG (\w+)$", DOCKERFILE, re.M))
    assert build["platforms"] == "linux/amd64,linux/arm64"


def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it() -> None:
    uses = [line for path in WORKFLOWS.glob("*.yml") for line in path.read_text().splitlines() if "uses:" in line]

    assert uses
    assert [line for line in uses if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


@pytest.mark.parametrize(
    ("schema", "pattern"), [("vendor.github-workflows", "workflows/*.yml"), ("vendor.renovate", "renovate.json")]
)
def test_every_file_of_the_pipeline_is_valid_by_its_schema(schema: str, pattern: str) -> None:
    files: list[Path] = sorted((ROOT / ".github").glob(pattern))
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]

    told = subprocess.run(check, capture_output=True, text=True, check=False)

    assert files
    assert told.returncode == 0, told.stdout + told.stderr
