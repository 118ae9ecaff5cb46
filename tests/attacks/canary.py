"""The canary stands for any other client: it sends one small request in a loop, and prints how long each answer took.

`python -m tests.attacks.canary 8000 [token]` runs it in a process of its own, since a busy attacker in the same process
would delay it. Each request comes on a new connection, from another address than the attackers', and prints one line:
when it was sent (CLOCK_MONOTONIC), how many seconds it took, and whether the answer was complete.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

ADDRESS = "127.0.0.2"
PAUSE = 0.01
PATIENCE = 10
QUESTION = json.dumps(
    {"query": "{ pessoa(id: 2) { nomePessoa } servico(id: 2) { id } produto(id: 2) { id } solicitacao(id: 2) { id } }"}
)
"""All five processes work for the answer to this query."""


def ask(port: int, token: str | None) -> bool:
    """Whether the answer is complete."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection("127.0.0.1", port, timeout=20, source_address=(ADDRESS, 0))
    try:
        connection.request("POST", "/graphql", QUESTION, headers)
        answer = connection.getresponse()
        return answer.status == 200 and b'"errors"' not in answer.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


@dataclass
class CanaryAnswers:
    """The answers to the canary during an attack: how long they took, and how many failed."""

    milliseconds: list[float] = field(default_factory=list[float])
    failed: int = 0

    @property
    def median(self) -> float:
        return sorted(self.milliseconds)[len(self.milliseconds) // 2] if self.milliseconds else 0.0

    @property
    def maximum(self) -> float:
        return max(self.milliseconds, default=0.0)


class Canary:
    """The canary's process, and the lines that it has printed."""

    def __init__(self, port: int, token: str | None = None) -> None:
        words = [sys.executable, "-m", "tests.attacks.canary", str(port), *([token] if token else [])]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self._asked: list[tuple[float, float, bool]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            began, seconds, good = line.split()
            self._asked.append((float(began), float(seconds), good == "True"))

    def felt(self, since: float, until: float) -> CanaryAnswers:
        """All requests that were under way at some time between the two moments, whether or not they are answered by
        now."""
        while not self._asked or self._asked[-1][0] < until:  # a later request proves that all of them have ended
            time.sleep(PAUSE)
        during = [one for one in list(self._asked) if one[0] <= until and one[0] + one[1] >= since]
        return CanaryAnswers([seconds * 1000 for _, seconds, _ in during], sum(not good for *_, good in during))

    def after(self, moment: float) -> bool:
        """Whether the canary is answered again: whether a request sent later than `moment` got a complete answer."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if any(began > moment and good for began, _, good in self._asked[-5:]):
                return True
            time.sleep(PAUSE)
        return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def running_canary(port: int, token: str | None = None) -> Generator[Canary]:
    canary = Canary(port, token)
    try:
        yield canary
    finally:
        canary.stop()


def main() -> None:
    port, token = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None
    while True:
        began = time.monotonic()
        good = ask(port, token)
        print(began, time.monotonic() - began, good, flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
