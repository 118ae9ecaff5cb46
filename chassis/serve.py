"""Runs one process of the system: `python -m chassis.serve pessoas` serves `pessoas.app:create_app` on `$HOST:$PORT`.

`--fd N` serves on a listening socket that the parent process holds instead, so that a restart refuses nobody.
"""

import argparse
import os

import uvicorn


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.serve", description=__doc__)
    parser.add_argument("name", help="catalogo, pessoas, servicos, solicitacoes or gateway")
    parser.add_argument("--fd", type=int, help="a listening socket inherited from the parent")
    arguments = parser.parse_args()
    port = os.environ.get("PORT", "8000")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise SystemExit(f"configuration error: PORT: must be a TCP port, not {port!r}")
    uvicorn.run(
        f"{arguments.name}.app:create_app",
        factory=True,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(port),
        fd=arguments.fd,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
