"""Counters, gauges and histograms that cost a tenth of a microsecond each. prometheus_client exposes them.

prometheus_client's own metrics take a lock for each observation, which a process with one event loop does not need: the
twenty observations of a query through all processes would cost 14 µs, and these cost 3 µs. Here values are plain
numbers, which become prometheus_client's metric families only when they are collected. A series (`.labels(...)`) should
be looked up once and kept.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import ClassVar, Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry()
"""All metrics of this process."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds, in seconds, for what should take milliseconds and must end within a request's time."""

C = TypeVar("C")


class Number:
    """One series: `number.value += 1`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Buckets:
    """One series of a histogram."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Family(Collector, Generic[C]):
    """A metric with all of its series. Without labels its one series exists from the start, so that a zero is shown."""

    def __init__(self, name: str, help: str, labels: Sequence[str], make: Callable[[], C]) -> None:
        self.name, self.help, self.label_names = name, help, tuple(labels)
        self._make = make
        self._children: dict[tuple[str, ...], C] = {}
        if not labels:
            self.labels()
        REGISTRY.register(self)

    def labels(self, *values: str) -> C:
        """The series with these label values, one value for each label."""
        child = self._children.get(values)
        if child is None:
            assert len(values) == len(self.label_names), f"{self.name} has the labels {self.label_names}"
            child = self._children[values] = self._make()
        return child


class NumberFamily(Family[Number]):
    """A metric whose series are single numbers."""

    exposed: ClassVar[type[GaugeMetricFamily | CounterMetricFamily]]

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, help, labels, Number)

    def collect(self) -> Iterable[Metric]:
        family = self.exposed(self.name, self.help, labels=self.label_names)
        for values, child in self._children.items():
            family.add_metric(values, child.value)
        yield family


class Counter(NumberFamily):
    exposed = CounterMetricFamily


class Gauge(NumberFamily):
    exposed = GaugeMetricFamily


class Histogram(Family[Buckets]):
    def __init__(self, name: str, help: str, labels: Sequence[str] = (), bounds: Sequence[float] = SECONDS) -> None:
        super().__init__(name, help, labels, lambda: Buckets(bounds))
        self._bound_texts = [*map(str, bounds), "+Inf"]

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self.name, self.help, labels=self.label_names)
        for values, child in self._children.items():
            counts = map(float, accumulate(child.counts))
            family.add_metric(values, list(zip(self._bound_texts, counts, strict=True)), child.sum)
        yield family


class BoundedLabel:
    """Makes label values of texts that clients choose, so that they cannot make any number of series: the first `most`
    different texts stand for themselves, shortened to `LONGEST` characters, and all further ones are `other`."""

    LONGEST = 100

    def __init__(self, most: int) -> None:
        self._most, self._seen = most, set[str]()

    def __call__(self, text: str) -> str:
        """The label's value; `unknown` for an empty text."""
        text = text[: self.LONGEST] or "unknown"
        if text not in self._seen:
            if len(self._seen) >= self._most:
                return "other"
            self._seen.add(text)
        return text


class MetricsReader(Collector):
    """Exposes values that other code keeps: `read` returns their metric families when they are collected."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read
        REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        return self._read()
