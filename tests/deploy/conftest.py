"""Fixtures for the tests of the launcher: a data directory and a temporary PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.postgres import Cluster, free_ports


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def cluster(directory: Path) -> Iterator[Cluster]:
    """A running PostgreSQL of this test's own."""
    with Cluster(directory, free_ports(), durable=False) as running:
        yield running
