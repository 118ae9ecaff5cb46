"""What was written and read, on one observer's clock, and which reads cannot be explained by it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Name = str | None
"""The name that a row shows; None: there is no such row."""
Row = tuple[str, int]
"""A row, by its kind and its id."""


@dataclass
class Write:
    """One write of a row. It took effect once, between `began` and `ended`."""

    value: Name
    began: float
    ended: float = math.inf


@dataclass
class Read:
    """What one request showed of a row."""

    row: Row
    value: Name
    began: float
    ended: float
    where: str
    """Who answered."""
    at_least: int = 0
    """The number of the write that the request had to show, since its client had made it or had named it."""
    stale: bool = False
    """Whether the answer says that it may be older than usual."""
    direct: bool = False
    """Whether the service itself answered."""


@dataclass
class History:
    """`bound` is how old an answer may be, in seconds."""

    bound: float
    rows: dict[Row, list[Write]] = field(default_factory=dict[Row, list[Write]])
    """The writes of each row, one after the other. The first one is the state at the beginning."""
    reads: list[Read] = field(default_factory=list[Read])
    """The reads that have not been judged."""
    judged: int = 0

    def begin(self, row: Row, value: Name) -> None:
        """The row shows this when the observer begins."""
        self.rows[row] = [Write(value, -math.inf, -math.inf)]

    def write(self, row: Row, value: Name, began: float) -> Write:
        """A write of the row begins. Its predecessor has ended."""
        found = Write(value, began)
        self.rows.setdefault(row, [Write(None, -math.inf, -math.inf)]).append(found)
        return found

    def judge(self, until: float = math.inf) -> list[str]:
        """One line for each read that ended before `until` and that nothing explains."""
        due = [read for read in self.reads if read.ended < until]
        self.reads = [read for read in self.reads if read.ended >= until]
        self.judged += len(due)
        return [line for line in map(self._verdict, due) if line]

    def _verdict(self, read: Read) -> str:
        writes = self.rows.get(read.row, [Write(None, -math.inf, -math.inf)])
        bound = 0.0 if read.direct else math.inf if read.stale else self.bound
        oldest = max(n for n, write in enumerate(writes) if n == 0 or write.ended <= read.began - bound)
        oldest = max(oldest, read.at_least)
        newest = max(n for n, write in enumerate(writes) if write.began < read.ended)
        allowed = [write.value for write in writes[oldest : newest + 1]]
        if read.value in allowed:
            return ""
        if read.value not in [write.value for write in writes]:
            what = "never was"
        elif read.value not in [write.value for write in writes[: newest + 1]]:
            what = "was not yet written"
        elif read.value in [write.value for write in writes[read.at_least : newest + 1]]:
            what = "is too old"
        else:
            what = "is from before the client's own write"
        age = max((read.began - write.ended for write in writes[oldest : oldest + 1]), default=0.0)
        return (
            f"{read.where}: {read.row} shows {read.value!r}, which {what}: {allowed} since {age:.3f} s before it began"
        )
