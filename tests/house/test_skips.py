"""What CI does with a skipped test, tried on a small run of pytest; and every test that may be skipped exists."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import ROOT
from tests.skips import allowed

TESTS = """
import pytest

@pytest.mark.skipif(True, reason="no balancer here")
def test_marked(): ...

@pytest.mark.parametrize("name", ["[a]", "b"])
def test_with_parameters(name):
    pytest.skip("no name server here")

@pytest.mark.xfail
def test_that_fails_as_expected():
    assert False

def test_that_passes(): ...
"""
WHOLE_FILE = """
import pytest

pytest.importorskip("a_module_that_nobody_has")
"""
LIST = """
"test_some.py::test_marked" = "why"
"test_some.py::test_with_parameters" = "why"
"""


def run(directory: Path, listed: str, *options: str, **variables: str) -> tuple[int, str]:
    """The exit code of a run of the tests above, and what it says."""
    (directory / "pytest.ini").write_text("[pytest]")
    (directory / "tests").mkdir(exist_ok=True)
    (directory / "tests" / "skips.toml").write_text(listed)
    (directory / "test_some.py").write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    plugins = ("-p", "tests.skips", "-p", "xdist.plugin", "-p", "no:cacheprovider")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options],
        cwd=directory,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_in_ci_a_skipped_test_fails_the_run_and_is_named_with_its_reason(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    code, said = run(tmp_path, '"test_some.py::test_marked" = "why"', *options, CI="true")

    told = said.partition("skipped tests that tests/skips.toml does not name")[2].splitlines()
    assert code == pytest.ExitCode.TESTS_FAILED
    assert sorted(line for line in told if line.startswith("test_")) == [
        "test_some.py::test_with_parameters[[a]]: Skipped: no name server here",
        "test_some.py::test_with_parameters[b]: Skipped: no name server here",
    ]


def test_in_ci_a_file_that_skips_itself_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_whole.py").write_text(WHOLE_FILE)

    code, said = run(tmp_path, LIST, CI="true")

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "\ntest_whole.py: " in said


def test_in_ci_the_tests_of_the_list_may_be_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, LIST, CI="true")[0] == pytest.ExitCode.OK


def test_elsewhere_any_test_may_be_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, "")[0] == pytest.ExitCode.OK


def test_every_test_of_the_list_exists_and_has_a_reason() -> None:
    for test, reason in allowed(ROOT).items():
        file, _, name = test.partition("::")
        found = ast.walk(ast.parse((ROOT / file).read_text()))
        assert name in {one.name for one in found if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}, test
        assert reason, test
