"""The bootstrap of a fresh checkout: uv is downloaded and its hash checked, and nothing is done twice."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy import bootstrap
from tests.deploy.processes import WAIT_SECONDS, all_end, eventually, family

MANIFEST = """
[project]
name = "checkout"
version = "0"
requires-python = ">=3.11"

[dependency-groups]
local = []
dev = []

[tool.uv]
package = false
required-version = ">=0.13"
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing, since the output of a test shows only failures."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package index with one uv wheel in it, pinned for this machine; the path of the wheel."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"uv-{bootstrap.UV_VERSION}.data/scripts/uv", "#!/bin/sh\necho uv 99.0\n")
    served = tmp_path / "index"
    (served / "uv").mkdir(parents=True)
    (served / "uv.whl").write_bytes(wheel.getvalue())
    handler = functools.partial(Quiet, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        digest = hashlib.sha256(wheel.getvalue()).hexdigest()
        listing = {"files": [{"url": f"{url}/uv.whl", "hashes": {"sha256": digest}}]}
        # For a directory the server answers with its index.html, whatever that file contains.
        (served / "uv" / "index.html").write_text(json.dumps(listing))
        monkeypatch.setattr(bootstrap, "INDEX", url)
        monkeypatch.setitem(bootstrap.UV_WHEELS, bootstrap.wheel_platform(), digest)
        yield served / "uv.whl"
        server.shutdown()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with this bootstrap, no dependencies, and a page that is already built."""
    root = tmp_path / "checkout"
    (root / "deploy").mkdir(parents=True)
    shutil.copy(bootstrap.__file__, root / "deploy")
    (root / "pyproject.toml").write_text(MANIFEST)
    (root / "gateway" / "playground" / "dist").mkdir(parents=True)
    (root / "gateway" / "playground" / "dist" / "index.html").touch()
    subprocess.run([bootstrap.find_uv(), "lock", "--quiet", "--offline"], cwd=root, check=True)
    return root


def set_up(root: Path, *arguments: str) -> str:
    """Runs the bootstrap of `root` with the uv of this checkout on PATH; returns its output."""
    path = f"{Path(bootstrap.find_uv()).parent}{os.pathsep}{os.environ['PATH']}"
    told = subprocess.run(
        [sys.executable, root / "deploy" / "bootstrap.py", *arguments],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout + told.stderr


def test_the_wheel_is_unpacked_when_its_hash_is_the_pinned_one(index: Path, tmp_path: Path) -> None:
    target = tmp_path / ".uv" / "uv"
    bootstrap.download_uv(target)
    assert subprocess.run([target], capture_output=True, text=True, check=True).stdout == "uv 99.0\n"
    assert [path.name for path in target.parent.iterdir()] == ["uv"]


def test_a_wheel_with_another_hash_is_not_used(index: Path, tmp_path: Path) -> None:
    index.write_bytes(index.read_bytes() + b"!")
    with pytest.raises(bootstrap.SetupError, match="sha256"):
        bootstrap.download_uv(tmp_path / ".uv" / "uv")
    assert not (tmp_path / ".uv").exists()


def test_without_a_network_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "INDEX", "http://127.0.0.1:1")
    with pytest.raises(bootstrap.SetupError, match=r"HTTPS_PROXY.*SSL_CERT_FILE.*install uv yourself"):
        bootstrap.download_uv(tmp_path / "uv")


def test_a_uv_on_path_that_is_too_old_is_passed_over(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(MANIFEST)
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "uv"
    old.write_text("#!/bin/sh\necho uv 0.4.30\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    assert bootstrap.find_uv() == str(tmp_path / ".uv" / bootstrap.UV_VERSION / "uv")
    old.write_text("#!/bin/sh\necho uv 0.13.0\n")
    assert bootstrap.find_uv() == str(old)


def test_it_installs_for_the_python_that_runs_it_and_the_second_time_does_nothing(checkout: Path) -> None:
    assert "installing" in set_up(checkout)
    version = [checkout / ".venv" / "bin" / "python", "-c", "import sys; print(sys.version)"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip() == sys.version
    assert set_up(checkout) == ""


def test_a_changed_lock_installs_again_and_development_stays_installed(checkout: Path) -> None:
    set_up(checkout, "--dev")
    assert set_up(checkout) == ""
    with (checkout / "uv.lock").open("a") as lock:
        lock.write("\n")
    assert "installing" in set_up(checkout)
    assert set_up(checkout, "--dev") == ""


def test_a_newer_source_builds_the_page_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    playground = checkout / "gateway" / "playground"
    monkeypatch.setattr(bootstrap, "PLAYGROUND", playground)
    assert bootstrap.playground_is_current()
    os.utime(playground / "dist" / "index.html", (0, 0))
    assert bootstrap.playground_is_current()
    for beside in ("node_modules/vite.js", "__pycache__/__init__.pyc", "__init__.py"):
        (playground / beside).parent.mkdir(exist_ok=True)
        (playground / beside).touch()
    assert bootstrap.playground_is_current()
    (playground / "src").mkdir()
    (playground / "src" / "main.jsx").touch()
    assert not bootstrap.playground_is_current()


def test_a_page_that_cannot_be_built_does_not_stop_the_rest(checkout: Path) -> None:
    (checkout / "gateway" / "playground" / "dist" / "index.html").unlink()
    assert "going on without GraphiQL and the painel" in set_up(checkout)


def test_an_old_python_can_read_the_file_and_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ast.parse(Path(bootstrap.__file__).read_text(), feature_version=(3, 8))
    shim = tmp_path / "python3.19"  # as a version manager has it: a program that is not installed
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (3, 19))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupError, match=r"3\.19 or newer is needed.*PYTHON="):
        bootstrap.use_supported_python()


SLOW_UV = """#!/bin/sh
[ "$1" = --version ] && echo uv 99.0 && exit
mkdir -p .venv/bin .venv/lib
printf 'half a fil' > .venv/lib/module.py
[ "$1" = sync ] && {python}ln -sf {executable} .venv/bin/python
touch half-done
exec sleep 600
"""
SLOW_NPM = """#!/bin/sh
[ "$*" = "{slow}" ] || exit 0
mkdir -p node_modules dist
printf 'half a pag' > dist/index.html
touch ../../half-done
exec sleep 600
"""
QUICK_NPM = """#!/bin/sh
[ -d node_modules ] && echo 'what another left is there' && exit 1
mkdir -p dist
echo whole > dist/index.html
"""


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def interrupted(root: Path, path: str, group: bool) -> str:
    """The output of a set-up that is interrupted as soon as it has left something unfinished."""
    running = subprocess.Popen(
        [sys.executable, root / "deploy" / "bootstrap.py"],
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually((root / "half-done").exists, lambda: "something is half done")
    started = family(running.pid)
    if group:  # as Ctrl-C in a terminal does
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=WAIT_SECONDS)
    all_end(started)
    assert running.returncode == 128 + signal.SIGINT
    return said


@pytest.mark.parametrize("group", [True, False], ids=["the terminal's programs", "one process"])
@pytest.mark.parametrize("moment", ["", "true || "], ids=["with a Python", "without one"])
def test_an_installation_that_was_interrupted_ends_without_a_traceback_and_is_made_anew(
    checkout: Path, tmp_path: Path, moment: str, group: bool
) -> None:
    executable(tmp_path / "bin" / "uv", SLOW_UV.format(python=moment, executable=sys.executable))

    said = interrupted(checkout, f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", group)

    assert said.splitlines()[-1] == "setup: interrupted; the next `make` finishes what is half done"
    assert "Traceback" not in said
    assert "an installation has left .venv half done: it is made anew" in set_up(checkout)
    assert not (checkout / ".venv" / "lib" / "module.py").exists()
    assert set_up(checkout) == ""


def test_what_was_installed_for_development_is_so_again_after_an_interruption(checkout: Path, tmp_path: Path) -> None:
    set_up(checkout, "--dev")
    with (checkout / "uv.lock").open("a") as lock:
        lock.write("\n")
    executable(tmp_path / "bin" / "uv", SLOW_UV.format(python="", executable=sys.executable))
    interrupted(checkout, f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", group=True)

    set_up(checkout)

    assert set_up(checkout, "--dev") == ""


@pytest.mark.parametrize("group", [True, False], ids=["the terminal's programs", "one process"])
@pytest.mark.parametrize("slow", ["ci --ignore-scripts --no-audit --no-fund", "run build"])
def test_a_page_whose_building_was_interrupted_is_built_anew(checkout: Path, slow: str, group: bool) -> None:
    set_up(checkout)
    page, npm = checkout / "gateway" / "playground" / "dist" / "index.html", checkout / ".venv" / "bin" / "npm"
    page.unlink()
    executable(npm, SLOW_NPM.format(slow=slow))

    said = interrupted(checkout, os.environ["PATH"], group)

    assert said.splitlines()[-1] == "setup: interrupted; the next `make` finishes what is half done"
    assert "Traceback" not in said
    executable(npm, QUICK_NPM)
    assert "a build has left GraphiQL and the painel half done: they are built anew" in set_up(checkout)
    assert page.read_text() == "whole\n"
    assert set_up(checkout) == ""


def test_two_that_set_up_at_the_same_time_take_turns(checkout: Path, tmp_path: Path) -> None:
    executable(tmp_path / "bin" / "uv", SLOW_UV.format(python="", executable=sys.executable))
    command = [sys.executable, checkout / "deploy" / "bootstrap.py"]
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    first = subprocess.Popen(command, env=os.environ | {"PATH": path}, start_new_session=True)
    eventually((checkout / "half-done").exists, lambda: "the first one installs")
    uv = {"PATH": f"{Path(bootstrap.find_uv()).parent}{os.pathsep}{os.environ['PATH']}"}
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | uv)
    assert second.stdout
    assert second.stdout.readline() == "setup: waiting for another set-up in this folder ...\n"
    assert (checkout / ".venv" / "lib" / "module.py").exists()

    os.killpg(first.pid, signal.SIGKILL)
    first.wait()

    said, _ = second.communicate(timeout=WAIT_SECONDS)
    assert "it is made anew" in said
    assert second.returncode == 0
