"""Prepares a fresh checkout with nothing but Python: `python3 deploy/bootstrap.py [--dev]`, which `make` runs first.

It downloads uv if there is none, lets uv install the packages of uv.lock into .venv, and builds GraphiQL and the
painel. Each step is skipped if nothing has changed. `--dev` adds what the tests and `make check` need. Only the
standard library is used, since a fresh Debian has no pip and no venv. An old Python must be able to parse this file
too, so that it can say which Python is needed. `--uv ARGS...` runs that uv instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PLAYGROUND = ROOT / "gateway" / "playground"
LOCK, INSTALLING, BUILDING = (ROOT / ".uv" / name for name in ("lock", "installing", "building"))
"""The last two exist while .venv and the page are being made. If one exists at the start, an earlier run left its work
unfinished."""
STOP_SECONDS = 10

# uv comes from the same index as everything else, as one wheel. Its hash is pinned here, as uv.lock pins the others, so
# that nothing runs that was not reviewed. To upgrade, take the five hashes from the index page of the new version.
INDEX = "https://pypi.org/simple"
UV_VERSION = "0.13.9"
UV_WHEELS = {
    "linux-x86_64-glibc": "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    "linux-x86_64-musl": "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    "linux-aarch64": "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    "darwin-x86_64": "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    "darwin-arm64": "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
}
NETWORK_HELP = "is the network there? A proxy goes into HTTPS_PROXY, a company's certificates into SSL_CERT_FILE"


class SetupError(Exception):
    """A step failed; the message says what to do next."""


class SetupStep:
    """`with SetupStep("what is done"):` prints what is done, and how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        self.began = time.monotonic()
        print(f"setup: {self.what} ...", flush=True)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            print(f"setup: {self.what}: done in {time.monotonic() - self.began:.1f} s", flush=True)


@contextmanager
def marked_unfinished(mark: Path, what: str) -> Generator[None]:
    """Writes the file `mark`, with `what` in it, and deletes it when the block has come to its end; if this process
    ends before that, for whatever reason, the file stays."""
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(what)
    yield
    mark.unlink()


@contextmanager
def exclusive_set_up() -> Generator[int]:
    """Waits until no other set-up works in this folder, and no program that one has started; gives the descriptor of
    the lock."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waiting for another set-up in this folder ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def run(command: Sequence[str | Path], directory: Path, environment: Mapping[str, str], lock: int, quiet: bool) -> None:
    """Runs a program to its end. Raises SetupError when it fails; a `quiet` program's lines are then shown after all.
    On Ctrl-C the program gets time to stop by itself, since killing it could leave more unfinished."""
    try:
        running = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            pass_fds=(lock,),
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
        )
    except OSError as failure:
        raise SetupError(f"{command[0]} could not be run ({failure})") from None
    try:
        output, _ = running.communicate()
    except KeyboardInterrupt:
        running.terminate()  # Ctrl-C in a terminal reaches it too, but the command `kill` reaches only this process
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
        raise
    if running.returncode != 0:
        if quiet:
            print(output.strip(), file=sys.stderr)
        raise SetupError(f"`{' '.join(map(str, command))}` failed in {directory}: {NETWORK_HELP}")


def use_supported_python() -> None:
    """Returns if this Python is new enough; otherwise starts again with one that is, or says how to get one."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    for minor in range(19, OLDEST_PYTHON[1] - 1, -1):
        newer = shutil.which(f"python3.{minor}")
        # A version manager puts programs on PATH that do not run.
        if newer and subprocess.run([newer, "-c", ""], capture_output=True, check=False).returncode == 0:
            os.execv(newer, [newer, *sys.argv])  # noqa: S606 - no shell is meant
    raise SetupError(
        f"this is Python {platform.python_version()}, and {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed: "
        "install one and name it, as in `make run PYTHON=/path/to/python3.12`"
    )


def install_dependencies(dev: bool, lock: int) -> None:
    """Makes .venv hold exactly what uv.lock names, for this Python; returns at once if it already does."""
    stamp = VENV / "setup-stamp"
    before, _, last = (stamp.read_text() if stamp.exists() else "").partition(" ")
    dev = dev or "dev" in (last, INSTALLING.read_text() if INSTALLING.exists() else "")  # once installed, it stays
    wanted = f"{fingerprint()} {'dev' if dev else 'run'}"
    runs = os.access(BIN / "python", os.X_OK)
    if f"{before} {last}" == wanted and runs and not INSTALLING.exists():
        return
    uv = find_uv()
    if VENV.exists() and (INSTALLING.exists() or not runs):
        print("setup: an installation has left .venv half done: it is made anew", flush=True)
        VENV.unlink() if VENV.is_symlink() else shutil.rmtree(VENV)
    # `make run` adds what it needs and removes nothing, since somebody may have made .venv with `uv sync` for
    # development.
    groups = ["--group", "dev"] if dev else ["--group", "local", "--inexact"]
    with SetupStep("installing what uv.lock names into .venv"), marked_unfinished(INSTALLING, "dev" if dev else "run"):
        sync = [uv, "sync", "--frozen", "--no-default-groups", *groups]
        # uv must use this very Python and never download one, so that the Python that the person has chosen runs.
        settings = {
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_PROJECT_ENVIRONMENT": str(VENV),
            # Five processes start at once. Without this each would compile the same libraries, and with
            # PYTHONDONTWRITEBYTECODE set even at every start.
            "UV_COMPILE_BYTECODE": "1",
            "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS") or "true",
        }
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        run(sync, ROOT, {**environment, **settings}, lock, quiet=False)
        stamp.write_text(wanted)


def fingerprint() -> str:
    """A digest that changes when the lock, a manifest or the Python changes."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "uv.lock", ROOT / "pyproject.toml", *sorted(ROOT.glob("*/pyproject.toml"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def find_uv() -> str:
    """The path of a uv that this project accepts: the one on PATH, one downloaded earlier, or a new download."""
    import tomllib  # not at the top: an old Python has no such module, and must still say which Python is needed

    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text())
    least = numbers(manifest["tool"]["uv"]["required-version"])
    on_path, own = shutil.which("uv"), ROOT / ".uv" / UV_VERSION / "uv"
    for candidate in (on_path, str(own)):
        if candidate and os.access(candidate, os.X_OK):
            result = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
            if result.returncode == 0 and numbers(result.stdout) >= least:
                return candidate
    with SetupStep(f"getting uv {UV_VERSION} into .uv"):
        download_uv(own)
    return str(own)


def numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in `version`: (0, 13, 9)."""
    found = re.search(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def wheel_platform() -> str:
    """This machine, as UV_WHEELS names it."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(machine, machine)
    if (system, machine) == ("linux", "x86_64"):
        return f"{system}-{machine}-{'glibc' if platform.libc_ver()[0] == 'glibc' else 'musl'}"
    return f"{system}-{machine}"  # on linux-aarch64 one wheel runs with both C libraries


def download_uv(target: Path) -> None:
    """Puts the pinned uv at `target`, after its wheel's hash was checked."""
    by_hand = "install uv yourself (https://docs.astral.sh/uv/) and run this again"
    wanted = UV_WHEELS.get(wheel_platform())
    if wanted is None:
        raise SetupError(f"no uv is pinned for {wheel_platform()}: {by_hand}")
    try:
        listing = json.loads(fetch(f"{INDEX}/uv/", "application/vnd.pypi.simple.v1+json"))
        url = next((file["url"] for file in listing["files"] if file["hashes"].get("sha256") == wanted), None)
        if url is None:
            raise SetupError(f"{INDEX} no longer has uv {UV_VERSION}: {by_hand}")
        wheel = fetch(url, "*/*")
    except (urllib.error.URLError, OSError) as failure:
        raise SetupError(f"uv could not be downloaded from {INDEX} ({failure}): {NETWORK_HELP}. Or {by_hand}") from None
    if (got := hashlib.sha256(wheel).hexdigest()) != wanted:
        raise SetupError(f"{url} has sha256 {got}, not {wanted}: not using it")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"uv.{os.getpid()}")
    new.write_bytes(zipfile.ZipFile(io.BytesIO(wheel)).read(f"uv-{UV_VERSION}.data/scripts/uv"))
    new.chmod(0o755)
    new.replace(target)


def fetch(url: str, accept: str) -> bytes:
    """The body of the answer of `url`, which is INDEX or a URL that INDEX names; the caller checks the wheel's hash."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return answer.read()


def build_playground(lock: int) -> None:
    """Builds GraphiQL and the painel from their npm lock, with the Node that uv has installed, unless that is done.

    Everything else works without them, so a failure is reported and does not stop `make run`.
    """
    if playground_is_current():
        return
    # npm's own programs look for `node` on PATH, and Node does not read SSL_CERT_FILE.
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    if certificates := os.environ.get("SSL_CERT_FILE"):
        environment.setdefault("NODE_EXTRA_CA_CERTS", certificates)
    if BUILDING.exists():
        print("setup: a build has left GraphiQL and the painel half done: they are built anew", flush=True)
        shutil.rmtree(PLAYGROUND / "node_modules", ignore_errors=True)
    with SetupStep("building GraphiQL and the painel (half a minute, once)"), marked_unfinished(BUILDING, ""):
        for arguments in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "build"]):
            run([BIN / "npm", *arguments], PLAYGROUND, environment, lock, quiet=True)


def playground_is_current() -> bool:
    """Whether the built page exists, is complete, and is newer than all its sources."""
    page = PLAYGROUND / "dist" / "index.html"
    if not page.exists() or BUILDING.exists():
        return False
    built = page.stat().st_mtime
    for directory, below, files in os.walk(PLAYGROUND):
        below[:] = [name for name in below if name not in ("dist", "node_modules", "__pycache__")]
        # Python files serve the page, and .md files describe it; it is not built from them.
        sources = [Path(directory) / name for name in files if not name.endswith((".py", ".md"))]
        if any(source.stat().st_mtime > built for source in sources):
            return False
    return True


def main() -> int:
    try:
        use_supported_python()
        if sys.argv[1:2] == ["--uv"]:
            uv = find_uv()
            os.execv(uv, [uv, *sys.argv[2:]])  # noqa: S606 - no shell is meant
        with exclusive_set_up() as lock:
            install_dependencies("--dev" in sys.argv[1:], lock)
            try:
                build_playground(lock)
            except SetupError as failure:
                print(
                    f"setup: going on without GraphiQL and the painel; {failure}. `make setup` tries again",
                    file=sys.stderr,
                )
    except SetupError as failure:
        print(f"setup: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("setup: interrupted; the next `make` finishes what is half done", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
