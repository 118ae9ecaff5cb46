"""One run of Schemathesis against one service of a running system: its verdict, and what every operation answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy import topology
from deploy.local import ROOT
from deploy.postgres import HOST

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
URLS, COUNTS = "FUZZ_URLS", "FUZZ_COUNTS"
"""Environment variables that tell the hooks the addresses of the services, and the file for their counts."""

Counts = dict[str, dict[str, int]]
"""Maps each operation to the number of its answers by class of status ("2xx", "4xx" and so on)."""


@dataclass(frozen=True)
class Verdict:
    """`said` is Schemathesis' own report, with each failure and how to repeat it."""

    passed: bool
    said: str
    counts: Counts

    @property
    def cases(self) -> int:
        return sum(sum(answers.values()) for answers in self.counts.values())


def run(service: str, offset: int, *, seed: int, examples: int) -> Verdict:
    """`examples` is the number of random examples for each operation; the boundary values are always tried as well."""
    urls = {one.name: f"http://{HOST}:{one.port + offset}" for one in topology.SERVICES}
    with TemporaryDirectory() as directory:
        counts = Path(directory) / "counts.json"
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
                *("run", f"{urls[service]}/openapi.json", "--seed", str(seed), "--max-examples", str(examples)),
                *("--no-color", "--warnings", "off"),
            ],
            cwd=directory,  # it leaves a cache where it runs
            env=os.environ | {URLS: json.dumps(urls), COUNTS: str(counts), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        found: Counts = json.loads(counts.read_text()) if counts.exists() else {}
    return Verdict(ended.returncode == 0, ended.stdout, found)
