"""Compares our gateway with others: `python -m bench.gateway`, which is what `make bench-gateway` does.

All gateways call the same stub of the four services (stub.c) and get the same requests. One gateway at a time runs on
core 0; the stub and the load generator share core 1. Answers are compared with ours before anything is timed, and every
request asks for a different page. CPU is the user and system time of the gateway's whole process tree, per query. Each
round measures every gateway at every size, in the reverse order of the round before. A figure is the median of the
rounds, and a ratio is the median of the rounds' ratios.
"""

import argparse
import asyncio
import signal
import subprocess
import tempfile
from pathlib import Path

import psutil
import uvloop

from bench import base, cpu
from bench.gateway import contestants, data, measure, memory, report, scaling, stub, workloads
from bench.gateway.measure import OTHER_CORE, say

PARTS = ("peers", "scaling", "memory")


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    keys = ", ".join(one.key for one in contestants.ALL)
    parser.add_argument("--only", metavar="NAMES", help=f"contestants besides ours, with commas, of: {keys}")
    parser.add_argument("--base", metavar="REVISION", help="measure that one of this project beside today's, alone")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure, with commas (default: all)")
    parser.add_argument("--rows", default="1,100,1000", help="page sizes, with commas (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1.0, help="of load for each contestant in each round")
    parser.add_argument("--rate", type=float, default=300, help="queries a second of the open loop; 0 leaves it out")
    parser.add_argument("--documents", type=int, default=100_000, help="distinct ones for the memory part")
    parser.add_argument("--glibc", type=Path, help="a folder with glibc 2.39 or newer, for Tailcall on an older system")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and the plot anew")
    return parser.parse_args()


async def main() -> None:
    arguments = asked()
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # the contestants are stopped too
    parts = arguments.parts.split(",")
    keys = {contestants.OURS, *arguments.only.split(",")} if arguments.only else None
    chosen = [one for one in contestants.ALL if keys is None or one.key in keys]
    if arguments.base:
        parts = ["peers"]
        # These rounds are shorter and there are more of them, since the speed of a shared machine changes by a third
        # within seconds.
        arguments.rounds, arguments.seconds = arguments.rounds * 5, arguments.seconds / 5
        chosen = [one for one in contestants.ALL if one.key in (keys or {contestants.OURS})]
    if arguments.glibc:
        chosen = [
            contestants.on_newer_glibc(one, arguments.glibc) if one in contestants.RUST else one for one in chosen
        ]
    if any(one not in contestants.PYTHON for one in chosen):
        install(contestants.NODE)
    cpu.pin(psutil.Process(), OTHER_CORE)
    text = [f"{report.machine()}. {report.versions(chosen)}."]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if arguments.base:
            chosen.append(contestants.at(arguments.base, base.checkout(arguments.base, directory)))
        program = stub.build(directory)
        if "peers" in parts:
            text += await peers(chosen, arguments, program, directory)
        if "scaling" in parts:
            text += ["### Growth", await scaling.growth(program, directory, arguments.rounds, arguments.seconds)]
        if "memory" in parts:
            text += ["### Ever-new documents"]
            text += [await memory.cost_of_new_documents(program, directory, arguments.documents, arguments.rounds)]
    print("\n\n".join(text))
    if arguments.write:
        report.write("\n\n".join(text))


async def peers(
    chosen: list[contestants.Contestant], arguments: argparse.Namespace, program: Path, directory: Path
) -> list[str]:
    """The comparison, as paragraphs."""
    pages = [workloads.pages(int(rows)) for rows in arguments.rows.split(",")]
    measured = [*pages, workloads.ONE_OBJECT, workloads.SAME_PAGE, workloads.NESTED_PAGES]
    rows = directory / "rows"
    data.write(rows)
    with stub.Stub(program, rows, OTHER_CORE) as upstream:
        async with measure.running(chosen, upstream, directory) as participants:
            others = cpu.OtherPrograms()
            await measure.rounds(participants, upstream, measured, arguments.rounds, arguments.seconds)
            if arguments.rate:
                await measure.open_loop(participants, report.HUNDRED, arguments.rate, 3, 3.0)
            share = others.share()
    if arguments.write:
        report.PLOT.write_text(report.plot(participants, pages))
    return [
        report.peers(participants, measured, arguments.rate),
        report.per_kilobyte(participants, [*pages, workloads.NESTED_PAGES]),
        report.summary(participants, measured),
        report.bottleneck(participants) + f" Other programs used {share:.0%} of the machine meanwhile.",
    ]


def install(folder: Path) -> None:
    """Makes `folder/node_modules` hold what its lock names; returns at once if it already does."""
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime:
        say("npm ci")
        command = [contestants.BIN / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, env=contestants.environment(), check=True)


if __name__ == "__main__":
    uvloop.run(main())
