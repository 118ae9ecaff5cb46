"""The gateways that take part: how each is started with its documented production settings, and the versions of its
packages."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from bench import base
from bench.gateway.workloads import FLAT, GRAPHQL, HIVE, REST, TAILCALL, TUTORIAL, Dialect
from deploy.bootstrap import BIN, ROOT

NODE = Path(__file__).with_name("node")
OURS = "ours"
YOUNG = "--max-semi-space-size=128"
"""The size of a larger young generation of V8's heap, in MB. It helps with short-lived garbage, and most of a gateway's
garbage is short-lived."""


@dataclass(frozen=True)
class Contestant:
    """One gateway. `{port}` in the command stands for the port on which it must listen; the environment has PORT too,
    and the services' URLs."""

    key: str
    title: str
    command: tuple[str, ...]
    dialect: Dialect = GRAPHQL
    packages: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """More variables. A value may name one with the URL of a service: `{CATALOGO_URL}`."""
    folder: Path = ROOT
    concurrency: int = 32
    """The highest number of requests that it can serve at once."""
    prepare: tuple[str, ...] = ()
    """A command that must be run to its end before the gateway starts; it may write below `{directory}`."""


def version(package: str) -> str:
    """The installed version of a package from npm (`npm:name`) or PyPI."""
    if not package.startswith("npm:"):
        return metadata.version(package)
    return json.loads((NODE / "node_modules" / package.removeprefix("npm:") / "package.json").read_text())["version"]


SERVE = (sys.executable, "-m", "chassis.serve")
UVICORN = (sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning", "--port", "{port}")
GUNICORN = (sys.executable, "-m", "gunicorn", "--threads", "4", "--log-level", "error", "-b", "127.0.0.1:{port}")

CACHE_OFF = {"CACHE": "off"}
"""Every gateway asks for every row here. `bench.system` measures what it saves to keep them."""

PYTHON = [
    Contestant(OURS, "**this gateway**, `CACHE=off`", (*SERVE, "gateway"), environment=CACHE_OFF),
    Contestant(
        "reference",
        "this gateway, plans off",
        (*SERVE, "bench.gateway.python.reference"),
        environment=CACHE_OFF,
    ),
    Contestant(
        "unprotected",
        "this gateway, without breaker, bulkhead, retries",
        (*SERVE, "bench.gateway.python.unprotected"),
        environment=CACHE_OFF,
    ),
    *(
        Contestant(
            f"traced-{ratio}",
            f"this gateway, with traces, of which {ratio} are sampled",
            (*SERVE, "gateway"),
            environment=CACHE_OFF | {"OTEL_EXPORTER_OTLP_ENDPOINT": "{CATALOGO_URL}", "OTEL_TRACES_SAMPLER_ARG": ratio},
        )
        for ratio in ("0", "0.05", "1")
    ),
    Contestant(
        "own-client",
        "by hand, on our client and process settings",
        (*SERVE, "bench.gateway.python.own_client"),
        REST,
    ),
    Contestant(
        "by-hand",
        "by hand: FastAPI, aiohttp, orjson",
        (*UVICORN, "bench.gateway.python.handwritten:app"),
        REST,
        ("fastapi", "aiohttp", "orjson", "uvicorn"),
    ),
    Contestant(
        "stock",
        "stock Strawberry, FastAPI, httpx, aiodataloader",
        (*UVICORN, "bench.gateway.python.stock:app"),
        FLAT,
        ("strawberry-graphql", "httpx", "aiodataloader"),
    ),
    Contestant(
        "tutorial",
        "the original tutorial: Django, three serial requests a row",
        (*GUNICORN, "bench.gateway.python.tutorial:app"),
        TUTORIAL,
        ("django", "djangorestframework", "requests"),
        concurrency=1,
    ),
]


def node(key: str, title: str, *packages: str) -> list[Contestant]:
    """A contestant on Node, with the default and with the larger young generation."""
    production = {"NODE_ENV": "production"}
    versions = tuple(f"npm:{name}" for name in packages)
    script = f"{key}.js"
    return [
        Contestant(key, title, (str(BIN / "node"), script), GRAPHQL, versions, production, NODE),
        Contestant(
            f"{key}-tuned", f"{title}, tuned", (str(BIN / "node"), YOUNG, script), GRAPHQL, (), production, NODE
        ),
    ]


def hive(key: str, title: str, *flags: str, packages: tuple[str, ...] = ()) -> Contestant:
    """Hive Gateway with the supergraph that Mesh composes from the services' OpenAPI documents (mesh.config.js)."""
    modules, supergraph = "node_modules/@graphql-", "{directory}/supergraph.graphql"
    serve = ("supergraph", supergraph, "--jit", "--host", "127.0.0.1", "--port", "{port}")
    return Contestant(
        key,
        title,
        (str(BIN / "node"), *flags, modules + "hive/gateway/dist/bin.js", *serve),
        HIVE,
        packages,
        {"NODE_ENV": "production"},
        NODE,
        prepare=(str(BIN / "node"), modules + "mesh/compose-cli/esm/bin.js", "-o", supergraph),
    )


NODE_JS = [
    *node("mercurius", "Mercurius with JIT, DataLoader", "mercurius", "fastify", "graphql-jit", "dataloader", "undici"),
    *node("yoga", "GraphQL Yoga with graphql-jit, DataLoader", "graphql-yoga", "graphql-jit"),
    *node("apollo", "Apollo Server, DataLoader", "@apollo/server", "express"),
    hive("hive", "Hive Gateway from OpenAPI", packages=("npm:@graphql-hive/gateway", "npm:@omnigraph/openapi")),
    hive("hive-tuned", "Hive Gateway from OpenAPI, tuned", YOUNG),
]
RUST = [
    Contestant(
        "tailcall",
        "Tailcall (Rust)",
        ("node_modules/@tailcallhq/core-linux-x64-gnu/bin/tailcall", "start", "{directory}/tailcall.graphql"),
        TAILCALL,
        ("npm:@tailcallhq/core-linux-x64-gnu",),
        {"TAILCALL_LOG_LEVEL": "error"},
        NODE,
        prepare=("sed", "s/8000/{port}/; w {directory}/tailcall.graphql", "tailcall.graphql"),
    )
]
ALL: list[Contestant] = [*PYTHON, *NODE_JS, *RUST]


def at(revision: str, folder: Path) -> Contestant:
    """This gateway as it was at `revision`, whose files are in `folder`."""
    return Contestant(
        base.KEY, f"this gateway at {revision}", (*SERVE, "gateway"), environment=CACHE_OFF, folder=folder
    )


def on_newer_glibc(contestant: Contestant, folder: Path) -> Contestant:
    """The same contestant, run with the C library in `folder` instead of the system's older one."""
    loader = (str(folder / "ld-linux-x86-64.so.2"), "--library-path", str(folder))
    return replace(contestant, command=(*loader, *contestant.command))


def environment() -> dict[str, str]:
    """This process's environment, with the Node of .venv first in PATH, and without LOG_LEVEL, so that every gateway
    has its default."""
    variables = {**os.environ, "PATH": os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath)))}
    variables.pop("LOG_LEVEL", None)
    if certificates := os.environ.get("SSL_CERT_FILE"):  # Node does not read it
        variables.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    return variables


def start(contestant: Contestant, port: int, urls: Mapping[str, str], directory: Path) -> "subprocess.Popen[bytes]":
    """Starts the gateway. Its output goes to a log in `directory`, as it would otherwise go into the launcher's pipe.

    Raises OSError or CalledProcessError.
    """
    own = {name: value.format(**urls) for name, value in contestant.environment.items()}
    variables = {**environment(), **urls, "PORT": str(port), **own}

    def filled(command: tuple[str, ...]) -> list[str]:
        return [part.format(port=port, directory=directory) for part in command]

    with log(contestant, directory).open("wb") as output:
        if contestant.prepare:
            subprocess.run(
                filled(contestant.prepare),
                cwd=contestant.folder,
                env=variables,
                stdout=output,
                stderr=output,
                check=True,
            )
        return subprocess.Popen(
            filled(contestant.command),
            cwd=contestant.folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


def log(contestant: Contestant, directory: Path) -> Path:
    return directory / f"{contestant.key}.log"
