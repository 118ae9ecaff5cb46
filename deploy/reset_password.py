"""Makes PostgreSQL take the passwords that DATA_DIR gives again: `python -m deploy.reset_password`, after `make run`
has said so. The system must not run; no row changes."""

from __future__ import annotations

import os
import sys

from deploy.postgres import Cluster, PostgresError
from deploy.run_lock import LaunchError, data_directory, lock


def main() -> int:
    directory = data_directory(os.environ)
    try:
        lock(directory)
        Cluster(directory, port=0).reset_password()
    except (LaunchError, PostgresError) as refused:
        print(refused, file=sys.stderr)
        return 1
    print(f"the password is set anew in {directory}: `make run` starts the system")
    return 0


if __name__ == "__main__":
    sys.exit(main())
