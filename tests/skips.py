"""With CI set, a skipped test fails the run, unless `tests/skips.toml` names it with its reason: a pytest plugin."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # With pytest-xdist the workers report to the process that started them, and that process decides.
    if "CI" in os.environ and not hasattr(config, "workerinput"):
        config.pluginmanager.register(UnlistedSkips(allowed(config.rootpath)))


def allowed(root: Path) -> dict[str, str]:
    """The tests that may be skipped, by their ids without parameters, and why."""
    found: dict[str, str] = tomllib.loads((root / "tests" / "skips.toml").read_text())
    return found


class UnlistedSkips:
    """Fails a run in which a test was skipped that is not in the list."""

    def __init__(self, listed: dict[str, str]) -> None:
        self._listed = listed
        self._unlisted: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._judge(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:  # a whole file
            self._judge(report)

    def _judge(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.nodeid.partition("[")[0] not in self._listed:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._unlisted[report.nodeid] = reason

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unlisted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unlisted:
            terminalreporter.section("skipped tests that tests/skips.toml does not name")
            for test, reason in self._unlisted.items():
                terminalreporter.line(f"{test}: {reason}")
