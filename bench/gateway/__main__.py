"""Measures the gateway against its peers: `python -m bench.gateway`, which is what `make bench-gateway` does."""

import argparse
import tempfile
from pathlib import Path

import psutil
import uvloop

from bench import cpu
from bench.gateway import contestants, data, measure, stub, workloads
from bench.gateway.measure import OTHER_CORE


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--only", help="contestants, with commas: " + ",".join(one.key for one in contestants.ALL))
    parser.add_argument("--rows", default="1,100,1000", help="page sizes, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of load, for each contestant and round")
    arguments = parser.parse_args()
    keys = {contestants.OURS, *arguments.only.split(",")} if arguments.only else None
    chosen = [one for one in contestants.ALL if keys is None or one.key in keys]
    asked = [workloads.pages(int(rows)) for rows in arguments.rows.split(",")]
    asked += [workloads.ONE_OBJECT, workloads.SAME_PAGE]
    cpu.pin(psutil.Process(), OTHER_CORE)
    with tempfile.TemporaryDirectory() as directory:
        rows = Path(directory) / "rows"
        data.write(rows)
        with stub.Stub(stub.build(Path(directory)), rows, OTHER_CORE) as upstream:
            async with measure.running(chosen, upstream, Path(directory)) as everybody:
                await measure.rounds(everybody, upstream, asked, arguments.rounds, arguments.seconds)
                for one in everybody:
                    for w in asked:
                        if rs := one.rounds.get(w.name):
                            r = rs[-1]
                            print(
                                f"{one.key:12} {w.name:30} {one.cpu_of(w) * 1000:8.3f} ms  q={r.queries} stub={r.stub_share:.2f} gw={r.gateway_share:.2f} calls={r.calls:.2f} p99={measure.percentile(r.took, 0.99) * 1000:.1f}"
                            )


if __name__ == "__main__":
    uvloop.run(main())
