"""Instants: reads RFC 3339 text for both APIs, and compares it exactly with PostgreSQL's microseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from chassis.errors import InvalidValue

RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):(?P<minutes>[0-5][0-9]))"
)
NOT_AN_INSTANT = "deve ser data e hora RFC 3339 com fuso, como 2026-01-31T12:00:00Z"
NO_SUCH_INSTANT = "essa data, ou essa hora, não existe"
MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)


class Instant(NamedTuple):
    """An instant, between two whole microseconds: `floor` is the last one that is not after it, and `ceiling` the first
    one that is not before it. They are equal when the instant is a whole microsecond itself."""

    floor: datetime
    ceiling: datetime

    def equals(self, stored: datetime) -> bool:
        return self.floor == stored == self.ceiling


def read(value: object) -> Instant:
    """The instant that `value` names. Raises InvalidValue.

    A leap second (23:59:60 in UTC) is read as the first second of the next day, as in POSIX and PostgreSQL, which have
    no leap seconds.
    """
    match = RFC_3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue("NOT_A_DATETIME", NOT_AN_INSTANT)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction = match["fraction"] or ""
    leap = second == 60
    try:
        zone = _zone(match)
        floor = datetime(year, month, day, hour, minute, second - leap, int(fraction[:6].ljust(6, "0")), zone)
        if leap:
            _require_end_of_day(floor)
            floor += SECOND
        return Instant(floor, floor + MICROSECOND if fraction[6:].strip("0") else floor)
    except (ValueError, OverflowError):
        raise InvalidValue("NOT_A_DATETIME", NO_SUCH_INSTANT) from None


def _zone(match: re.Match[str]) -> timezone:
    """The offset from UTC. Raises ValueError when it is a day or more."""
    offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
    return timezone(-offset if match["sign"] == "-" else offset)


def _require_end_of_day(instant: datetime) -> None:
    """Raises ValueError unless `instant` is in the last second of a UTC day."""
    utc = instant.astimezone(UTC)
    if (utc.hour, utc.minute, utc.second) != (23, 59, 59):
        raise ValueError
