"""Runs one process of the system: `python -m chassis.serve pessoas` serves `pessoas.app:create_app` on `$HOST:$PORT`.

`--fd N` serves on a listening socket that the parent process holds instead, so that a restart refuses nobody.
"""

import argparse
import contextlib
import os
import socket
import sys

import uvicorn

STARTUP_FAILED = 3  # as uvicorn itself exits


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chassis.serve", description=__doc__)
    parser.add_argument("name", help="catalogo, pessoas, servicos, solicitacoes or gateway")
    parser.add_argument("--fd", type=int, help="a listening socket inherited from the parent")
    arguments = parser.parse_args()
    port = os.environ.get("PORT", "8000")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise SystemExit(f"configuration error: PORT: must be a TCP port, not {port!r}")
    config = uvicorn.Config(
        f"{arguments.name}.app:create_app",
        factory=True,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(port),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    # Not uvicorn's own `fd`: it takes the socket for a Unix one, so asyncio leaves Nagle's algorithm on, and every
    # answer on a kept-alive connection waits 40 ms for the client to acknowledge its headers.
    inherited = None if arguments.fd is None else [socket.socket(fileno=arguments.fd)]
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again, after it has stopped in order
        server.run(sockets=inherited)
    if not server.started:
        sys.exit(STARTUP_FAILED)


if __name__ == "__main__":
    main()
