"""Opens psql on the database of a service: `python -m deploy.psql pessoas`.

More arguments go to psql (`-c 'SELECT 1'`). `deploy.postgres_clients` says where the database is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from deploy.postgres import PostgresError
from deploy.postgres_clients import reached
from deploy.run_lock import LaunchError
from deploy.topology import SERVICES


def main(arguments: list[str]) -> int:
    names = [service.name for service in SERVICES]
    if not arguments or arguments[0] not in names:
        print(f"say which service: make psql SERVICE={'|'.join(names)}", file=sys.stderr)
        return 2
    service, *more = arguments
    try:
        with reached(os.environ, [service]) as clients:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for psql, which cancels a query
            command = clients.command("psql", service, *more, terminal=sys.stdin.isatty())
            return subprocess.run(command, check=False, env=clients.environment(service)).returncode
    except (LaunchError, PostgresError) as refused:
        print(refused, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
