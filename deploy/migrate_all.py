"""Migrations for the developer: `python -m deploy.migrate_all` brings every service's database to its newest migration.

`--new SERVICE NAME` writes a service's next migration, from the difference between its models and a temporary database.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from chassis.db.migrate import NotMigrated, new, upgrade
from chassis.db.revisions import NO_REVISION, head
from deploy import databases
from deploy.postgres import Cluster, free_ports
from deploy.topology import SERVICES


def upgrade_all() -> None:
    for service, url in databases.urls(*(service.name for service in SERVICES)).items():
        upgrade(service, url)


def write_new(service: str, name: str) -> list[Path]:
    """The files of the new migration, and of the one that must follow it. Raises NotMigrated."""
    with (
        tempfile.TemporaryDirectory() as directory,
        open(os.devnull, "w") as quiet,
        Cluster(Path(directory), free_ports(), durable=False, log=quiet.fileno()) as cluster,
    ):
        url = cluster.create_database(service)
        if head(service) != NO_REVISION:
            upgrade(service, url)
        written = new(service, url, name)
    for command in (["check", "--fix-only"], ["format"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, "--quiet", *written], check=True)
    return written


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.migrate_all", description=__doc__)
    parser.add_argument("--new", nargs=2, metavar=("SERVICE", "NAME"), help="write a new migration")
    arguments = parser.parse_args()
    try:
        if not arguments.new:
            upgrade_all()
            return
        service, name = arguments.new
        if service not in (known := [process.name for process in SERVICES]):
            parser.error(f"no service {service!r}: choose one of {', '.join(known)}")
        for written in write_new(service, name):
            print(f"wrote {written}: read it before you trust it")
    except NotMigrated as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
