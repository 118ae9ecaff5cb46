"""Measures what documents never met before cost our gateway: memory, and CPU per query. A client that writes values
into its documents sends such documents."""

import statistics
from pathlib import Path

import orjson

from bench import cpu, load
from bench.gateway import data, measure
from bench.gateway.contestants import ALL, OURS
from bench.gateway.measure import OTHER_CORE, RunningContestant, say
from bench.gateway.report import figure
from bench.gateway.stub import Stub
from bench.gateway.workloads import PAINEL

CHUNK = 1000
CLIENTS = 8
STEPS = 5


def _inlined(id: int) -> load.Request:
    """The Painel with its values written into the document. The page is empty, so only the document costs something."""
    text = PAINEL.replace("($first: Int!, $after: String)", "").replace("$first", "0")
    query = text.replace("$after", f'"{data.place(id)}"')
    return load.Request.of("POST", "/graphql", orjson.dumps({"query": query}))


async def cost_of_new_documents(program: Path, directory: Path, documents: int, rounds: int) -> str:
    """Measures memory before, during and after that many distinct documents, and compares the CPU with the reference
    executor's."""
    rows = directory / "rows-for-documents"
    data.write(rows)
    both = [one for one in ALL if one.key in (OURS, "reference")]
    with Stub(program, rows, OTHER_CORE) as stub:
        async with measure.running(both, stub, directory) as participants:
            ours = measure.by_key(participants)[OURS]
            sizes = [(0, _resident(ours))]
            sent = 0
            costs: dict[str, list[float]] = {one.key: [] for one in participants}
            for _ in range(rounds):
                for one in participants:
                    costs[one.key].append(await _send(one, sent, CHUNK))
                sent += CHUNK
            while True:
                sizes.append((sent, _resident(ours)))
                say(f"{sent:,} distinct documents: {sizes[-1][1]:.1f} MB")
                if sent >= documents:
                    break
                until = min(documents, sent + max(documents // STEPS, CHUNK))
                while sent < until:
                    await _send(ours, sent, CHUNK)
                    sent += CHUNK
    lines = ["| distinct documents so far | memory of the gateway, MB |", "|---|---|"]
    lines += [f"| {count:,} | {size:.1f} |" for count, size in sizes]
    found = {key: statistics.median(these) for key, these in costs.items()}
    ratio = statistics.median(a / b for a, b in zip(costs[OURS], costs["reference"], strict=True))
    lines += [
        "",
        f"CPU per query of a document never met before: {figure(found[OURS])} ms, with the plans off "
        f"{figure(found['reference'])} ms (ratio {ratio:.2f}).",
    ]
    return "\n".join(lines)


async def _send(one: RunningContestant, after: int, count: int) -> float:
    """Sends documents that were never sent before; returns the CPU that each one took, in seconds."""
    assert one.process
    requests = [_inlined(id) for id in range(after + 1, after + count + 1)]
    before = cpu.seconds(one.process)
    await load.run(one.port, requests, CLIENTS, count=count)
    return (cpu.seconds(one.process) - before) / count


def _resident(one: RunningContestant) -> float:
    assert one.process
    return one.process.memory_info().rss / 1e6
