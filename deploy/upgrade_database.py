"""Brings the data of `make run` to the newest PostgreSQL that is here: `python -m deploy.upgrade_database`.

The old server and a new one run beside each other, each database is piped from one to the other, and then the new data
directory takes the old one's place. Until then nothing of the old data changes; afterwards it stays beside the new one,
as `postgres-<major>`. The system must not run meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from deploy.backup import copy
from deploy.postgres import Cluster, PostgresError, find, finish_upgrade, free_ports, major
from deploy.postgres_clients import connected, shown_on_failure
from deploy.run_lock import LaunchError, data_directory, lock
from deploy.topology import SERVICES


def upgrade(directory: Path) -> str:
    """Upgrades the data in `directory`, and returns what was done. Raises LaunchError and PostgresError."""
    lock(directory)
    finish_upgrade(directory)
    data = directory / "postgres"
    if not data.exists():
        raise LaunchError(f"there is no database in {directory}: set DATA_DIR as for `make run`")
    before, newest = major(data), find().version
    if newest <= before:
        return f"the data in {directory} is of PostgreSQL {before}, and there is no newer one here: nothing to do"
    if (kept := directory / f"postgres-{before}").exists():
        raise LaunchError(f"{kept} exists, of an earlier upgrade: move it away, or remove it, and try again")
    temporary = directory / "upgrade"
    shutil.rmtree(temporary, ignore_errors=True)  # left by an upgrade that was interrupted
    names, port = [service.name for service in SERVICES], free_ports(2)
    try:
        with (
            shown_on_failure() as log,
            Cluster(directory, port, log=log) as old,
            Cluster(temporary, port + 1, log=log) as new,
        ):
            old.create_databases(*names)
            new.create_databases(*names)
            old_urls = {name: old.url(name) for name in names}
            with connected(old_urls) as source, connected({name: new.url(name) for name in names}) as target:
                for name in names:
                    copy(source, target, name)
        (temporary / "postgres").rename(directory / "postgres.upgraded")
        finish_upgrade(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return (
        f"the data in {directory} is of PostgreSQL {newest} now: `make run` starts the system. "
        f"The old data is in {kept}: remove it when you need it no more"
    )


def main() -> int:
    try:
        print(upgrade(data_directory(os.environ)))
    except (LaunchError, PostgresError) as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
