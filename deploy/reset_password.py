"""Sets PostgreSQL's superuser password again as it is derived from DATA_DIR: `python -m deploy.reset_password`.
`make run` says when this is needed.

`python -m deploy.reset_password --new` first makes a new secret, from which all passwords are derived; the services get
theirs at the next `make run`. The system must not run meanwhile; no row changes.
"""

from __future__ import annotations

import os
import sys

from deploy.postgres import Cluster, PostgresError
from deploy.run_lock import LaunchError, data_directory, lock


def main(arguments: list[str]) -> int:
    directory = data_directory(os.environ)
    try:
        lock(directory)
        Cluster(directory, port=0).reset_password(new=arguments == ["--new"])
    except (LaunchError, PostgresError) as refused:
        print(refused, file=sys.stderr)
        return 1
    print(f"the password is set anew in {directory}: `make run` starts the system")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
