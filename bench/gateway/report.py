"""The results as Markdown, for the terminal and docs/benchmarks.md, and as a plot, docs/gateway-benchmark.svg."""

import math
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from bench import base
from bench.gateway.contestants import NODE_JS, Contestant, version
from bench.gateway.measure import RunningContestant, ours_of, percentile, ratio
from bench.gateway.workloads import Workload, pages
from deploy.bootstrap import BIN, ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "gateway-benchmark.svg"
GATEWAY, SYSTEM, END = (
    "<!-- make bench-gateway writes from here -->",
    "<!-- make bench-system writes from here -->",
    "<!-- to here -->",
)
HUNDRED = pages(100)
NOTHING = "-"


def figure(seconds: float | None) -> str:
    """Milliseconds with three significant digits."""
    if seconds is None:
        return NOTHING
    value = seconds * 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def peers(participants: Sequence[RunningContestant], workloads: Sequence[Workload], rate: float) -> str:
    """The table of all contestants."""
    ours = ours_of(participants)
    heads = [w.name for w in workloads]
    lines = [
        f"| CPU of the gateway per query, ms (times ours) | {' | '.join(heads)} "
        f"| p99, 100 rows, {HUNDRED.concurrency} clients | p99, 100 rows, {rate:.0f} queries/s "
        "| calls, alone and under load |",
        "|---" * (len(heads) + 4) + "|",
    ]
    for one in participants:
        cells: list[str] = []
        for workload in workloads:
            times = ratio(one, ours, workload)
            cells.append(figure(one.cpu_of(workload)) + (f" ({times:.1f}x)" if times and one is not ours else ""))
        hundred = one.rounds.get(HUNDRED.name, [])
        cells.append(figure(statistics.median(percentile(r.took, 0.99) for r in hundred)) if hundred else NOTHING)
        overrun = "cannot keep up" if hundred and rate else NOTHING
        cells.append(figure(percentile(one.open_loop, 0.99)) if one.open_loop else overrun)
        under_load = statistics.median(r.calls for r in hundred) if hundred else 0
        cells.append(f"{one.calls[HUNDRED.name]:g}, {under_load:.3g}" if hundred else NOTHING)
        lines.append(f"| {one.contestant.title} | {' | '.join(cells)} |")
    lines += [
        f"\n{one.contestant.title}: {len(one.void)} rounds do not count, since answers carried errors under the load."
        for one in participants
        if one.void
    ]
    lines += [f"\n{one.contestant.title} took no further part: `{one.broken}`" for one in participants if one.broken]
    return "\n".join(lines)


def per_kilobyte(participants: Sequence[RunningContestant], workloads: Sequence[Workload]) -> str:
    """The table of what a kilobyte of an answer costs."""
    sizes = ours_of(participants).kilobytes
    heads = [f"{w.name} ({sizes[w.name]:.3g} kB)" if "kB" not in w.name else w.name for w in workloads]
    lines = [f"| CPU per kB of the answer, µs | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for one in participants:
        found = [(one.cpu_of(w), sizes[w.name]) for w in workloads]
        if any(cpu for cpu, _ in found):
            cells = [f"{cpu / size * 1e6:.1f}" if cpu else NOTHING for cpu, size in found]
            lines.append(f"| {one.contestant.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(participants: Sequence[RunningContestant], workloads: Sequence[Workload]) -> str:
    """How much more CPU the next best gateways need: medians of the rounds' ratios."""
    found = {one.key: one for one in participants}
    ours = ours_of(participants)
    in_node = [found[one.key] for one in NODE_JS if one.key in found]
    traced = [("traces on, of which none is sampled", "traced-0"), ("a twentieth", "traced-0.05"), ("all", "traced-1")]
    rivals = [*traced, ("by hand", "by-hand"), ("by hand, our client", "own-client"), ("stock Strawberry", "stock")]
    lines = [f"| CPU, times ours | {' | '.join(w.name for w in workloads)} |", "|---" * (len(workloads) + 1) + "|"]
    for name, key in rivals:
        if key in found:
            ratios = [ratio(found[key], ours, workload) for workload in workloads]
            lines.append(f"| {name} | {' | '.join(f'{one:.2f}' if one else NOTHING for one in ratios)} |")
    cells: list[str] = []
    for workload in workloads:
        best = min(((times, one.key) for one in in_node if (times := ratio(one, ours, workload))), default=None)
        cells.append(f"{best[0]:.2f} ({best[1]})" if best else NOTHING)
    lines.append(f"| best in Node | {' | '.join(cells)} |")
    if base.KEY in found:
        ratios = [ratio(ours, found[base.KEY], workload) for workload in workloads]
        lines += ["", f"| Ours, times {found[base.KEY].contestant.title} | {' | '.join(w.name for w in workloads)} |"]
        lines += ["|---" * (len(workloads) + 1) + "|"]
        lines += [f"| CPU | {' | '.join(f'{one:.3f}' if one else NOTHING for one in ratios)} |"]
    return "\n".join(lines)


def bottleneck(participants: Sequence[RunningContestant]) -> str:
    """A paragraph that shows that the stub did not limit the measurement."""
    rounds = [one for running in participants for these in running.rounds.values() for one in these]
    if not rounds:
        return ""
    busiest = max(rounds, key=lambda one: one.stub_share)
    part = sum(one.stub_share for one in rounds) / sum(one.gateway_share for one in rounds)
    return (
        f"The stub is no bottleneck: it was never busy for more than {busiest.stub_share:.0%} of the time (in that "
        f"round the gateway was busy for {busiest.gateway_share:.0%}), and over all rounds it used {part:.1%} of the "
        "CPU that the gateways used."
    )


def machine() -> str:
    """Date and machine, in one line."""
    node = subprocess.run([BIN / "node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{datetime.now(UTC):%-d %B %Y}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, Node {node.lstrip('v')}"
    )


def versions(contestants: Sequence[Contestant]) -> str:
    named = sorted({name for one in contestants for name in one.packages}, key=str.lower)
    return ", ".join(f"{name.removeprefix('npm:')} {version(name)}" for name in named)


def write(text: str, begin: str = GATEWAY) -> None:
    """Puts the text between the marks in docs/benchmarks.md."""
    before, _, rest = DOCUMENT.read_text().partition(begin)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}")


def plot(participants: Sequence[RunningContestant], workloads: Sequence[Workload]) -> str:
    """Bars on a logarithmic scale, one panel for each workload, the shortest first."""
    label, width, row, gap = 390, 440, 20, 46
    parts: list[str] = []
    top = 34
    for workload in workloads:
        bars = sorted(
            (cpu * 1000, one.contestant.title.replace("**", "").replace("`", ""), one is ours_of(participants))
            for one in participants
            if (cpu := one.cpu_of(workload))
        )
        if not bars:
            continue
        least, most = bars[0][0] / 2, bars[-1][0]
        parts.append(f'<text x="8" y="{top}" font-weight="600">{workload.name}: ms of CPU per query, log scale</text>')
        for n, (value, title, ours) in enumerate(bars):
            y = top + 12 + n * row
            length = width * math.log(value / least) / math.log(most / least) if most > least else width
            weight = ' font-weight="600"' if ours else ""
            parts.append(
                f'<text x="{label - 8}" y="{y + 13}" text-anchor="end"{weight}>{escape(title)}</text>'
                f'<rect x="{label}" y="{y + 2}" width="{length:.0f}" height="{row - 5}" rx="2" '
                f'fill="{"#2f9e6e" if ours else "#8b949e"}"/>'
                f'<text x="{label + length + 6:.0f}" y="{y + 13}"{weight}>{figure(value / 1000)}</text>'
            )
        top += 12 + len(bars) * row + gap
    # Middle greys and no background, so that the plot is readable on a light and on a dark page.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 890 {top - 20}" role="img" aria-label="CPU per query" '
        f"font-family=\"system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"12.5\" "
        f'fill="#737d88">\n' + "\n".join(parts) + "\n</svg>\n"
    )
