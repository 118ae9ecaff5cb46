"""Which interfaces the gates on breaking changes compare with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy import release
from tests.released import last_tag, released_file

NAME = "pessoas/openapi.json"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a document of a service, whose copy says something else."""
    for name, text in ((NAME, "now"), (f"{release.RELEASED}/{NAME}", "base")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "test")


def test_without_a_tag_the_copies_are_compared_with(repository: Path) -> None:
    git(repository, "tag", "not-a-release")

    assert last_tag(repository) is None
    assert released_file(NAME, repository) == "base"


def test_the_last_release_is_that_with_the_highest_version_before_this_code(repository: Path) -> None:
    for version in ("v1.9.0", "v1.10.0", "v2.0.0"):
        (repository / NAME).write_text(version)
        commit(repository)
        git(repository, "tag", version)
    git(repository, "checkout", "--quiet", "HEAD~1")

    assert last_tag(repository) == "v1.10.0"
    assert released_file(NAME, repository) == "v1.10.0"


def test_outside_of_a_repository_the_copies_are_compared_with(tmp_path: Path) -> None:
    (tmp_path / release.RELEASED / NAME).parent.mkdir(parents=True)
    (tmp_path / release.RELEASED / NAME).write_text("base")

    assert released_file(NAME, tmp_path) == "base"


def test_a_release_keeps_its_interfaces(repository: Path) -> None:
    release.keep_interfaces(repository)

    assert (repository / release.RELEASED / NAME).read_text() == "now"


def test_what_the_last_release_does_not_have_has_no_text(repository: Path) -> None:
    assert released_file("novos/openapi.json", repository) is None
    git(repository, "tag", "v1.0.0")
    assert released_file("novos/openapi.json", repository) is None
